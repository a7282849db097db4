//! A type that is half typed.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback(Vec<)]
fn callback(_request: &mut Parts) {}

fn main() {}
