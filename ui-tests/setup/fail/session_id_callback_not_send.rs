use std::rc::Rc;

use axum::http::request::Parts;
use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

async fn wrong(_request: &mut Parts) {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {
    let _ = session!(<Visit>, session_id_callback = wrong);
}
