use axum::http::request::Parts;
use session_runtime::session_id_callback;

type Forever = &'static mut Parts;

#[session_id_callback]
fn callback(_request: Forever) {}

fn main() {}
