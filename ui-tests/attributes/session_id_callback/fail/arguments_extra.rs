use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_request: &mut Parts, _second: u8, _third: u8) {}

fn main() {}
