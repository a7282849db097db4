use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Visit;

#[session_id_callback(<Visit>)]
fn callback(_request: &mut Parts) {}

fn main() {
    let _ = Visit;
}
