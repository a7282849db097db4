//! The type of what is returned is missing: that the value has another one is no second mistake.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(request: &Parts) {
    request.uri.query()
}

fn main() {}
