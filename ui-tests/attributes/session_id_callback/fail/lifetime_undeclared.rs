//! The lifetime is declared nowhere.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[derive(Clone, Default)]
struct Visit;

#[session_id_callback(Visit)]
fn callback(_request: &'r mut Parts) {}

fn main() {}
