use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Admin;

#[session_id_callback(Visit, Admin)]
fn callback(_request: &mut Parts) {}

fn main() {}
