use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Visit;

#[session_id_callback(Visit, Visit)]
fn callback(_request: &mut Parts) {}

fn main() {}
