//! Types of the language itself are of no crate.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Visit;

#[session_id_callback(u64)]
fn first(_request: &mut Parts) {}

#[session_id_callback(*const Visit)]
fn second(_request: &mut Parts) {}

#[session_id_callback(!)]
fn third(_request: &mut Parts) {}

#[session_id_callback(Option<Visit>)]
fn fourth(_request: &mut Parts) {}

fn main() {}
