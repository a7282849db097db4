use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback(crate =)]
fn callback(_request: &mut Parts) {}

#[session_id_callback(crate)]
fn other(_request: &mut Parts) {}

fn main() {}
