use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback<T>(_request: &mut Parts) {}

fn main() {}
