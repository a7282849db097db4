use axum::http::request::Parts;
use session_runtime::session_id_callback;
use std::pin::Pin;

#[session_id_callback]
fn callback(_request: &mut Parts) -> Pin<Box<dyn Future<Output = ()> + '_>> {
    Box::pin(async {})
}

fn main() {}
