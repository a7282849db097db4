//! An extractor instead of the head of the request.

use axum::http::HeaderMap;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_headers: HeaderMap) -> Option<String> {
    None
}

fn main() {}
