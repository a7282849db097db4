//! What is no path of the crate.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback(crate = fn)]
fn first(_request: &mut Parts) {}

#[session_id_callback(crate = a.b)]
fn second(_request: &mut Parts) {}

#[session_id_callback(crate == session_runtime)]
fn third(_request: &mut Parts) {}

#[session_id_callback(crate = 5)]
fn fourth(_request: &mut Parts) {}

fn main() {}
