use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_request: &Parts) -> Option<impl Into<String>> {
    None::<String>
}

fn main() {}
