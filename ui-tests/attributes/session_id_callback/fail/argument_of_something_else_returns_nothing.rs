//! What is wrong is the argument, and not that nothing is returned.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn headers(_: &HeaderMap) {}

#[session_id_callback]
fn a_text(_: &str) {}

#[session_id_callback]
fn several(_: &[Parts]) {}

fn main() {}
