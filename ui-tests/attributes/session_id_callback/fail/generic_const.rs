use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback<const N: usize>(_request: &mut Parts) {}

fn main() {}
