//! A reference without the `Option`.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_request: &Parts) -> &str {
    "id"
}

fn main() {}
