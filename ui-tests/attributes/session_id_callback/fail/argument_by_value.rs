use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn callback(_request: Parts) {}

fn main() {}
