use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_request: &mut Parts) -> String {
    String::new()
}

fn main() {}
