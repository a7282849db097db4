use axum::http::request::Parts;
use session_runtime::session_id_callback;
use std::rc::Rc;

#[session_id_callback]
async fn callback(_request: &mut Parts) {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {}
