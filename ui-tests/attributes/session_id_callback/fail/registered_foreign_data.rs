use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback(String)]
fn callback(_request: &mut Parts) {}

fn main() {}
