use axum::extract::Request;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn callback(_request: &mut Request) {}

fn main() {}
