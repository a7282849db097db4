use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback<'r: 'r>(_request: &'r mut Parts) {}

fn main() {}
