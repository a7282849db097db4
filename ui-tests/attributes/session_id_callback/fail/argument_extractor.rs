//! An extractor beside the head of the request.

use axum::extract::State;
use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(State(_name): State<String>, _request: &mut Parts) {}

fn main() {}
