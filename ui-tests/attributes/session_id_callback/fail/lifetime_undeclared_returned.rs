//! A lifetime that is declared nowhere, in what is returned.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn callback(_request: &Parts) -> Option<&'r str> {
    None
}

fn main() {}
