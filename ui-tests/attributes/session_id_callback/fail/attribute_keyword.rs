//! A keyword in place of a data type.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback(struct)]
fn first(_request: &mut Parts) {}

#[session_id_callback(mut Visit)]
fn second(_request: &mut Parts) {}

#[session_id_callback(for)]
fn third(_request: &mut Parts) {}

#[session_id_callback(?)]
fn fourth(_request: &mut Parts) {}

fn main() {}
