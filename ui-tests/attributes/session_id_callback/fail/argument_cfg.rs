use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(#[cfg(unix)] _request: &mut Parts) {}

fn main() {}
