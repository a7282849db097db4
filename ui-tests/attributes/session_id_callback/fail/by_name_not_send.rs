use session_runtime::SessionLayer;
use axum::http::request::Parts;
use std::rc::Rc;

#[derive(Clone, Default)]
struct Visit;

async fn wrong(_request: &mut Parts) {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {
    let _ = SessionLayer::<Visit>::builder().session_id_callback(wrong);
}
