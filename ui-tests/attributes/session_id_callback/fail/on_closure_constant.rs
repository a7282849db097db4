use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
const CALLBACK: fn(&mut Parts) = |_request| {};

fn main() {}
