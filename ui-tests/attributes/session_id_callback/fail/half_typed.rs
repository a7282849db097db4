//! What the compiler cannot read it says itself.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[derive(Clone, Default)]
struct Visit;

#[session_id_callback(Visit)]
fn without_a_type(request:) {}

#[session_id_callback(Visit)]
fn without_the_rest(request: &) {}

#[session_id_callback(Visit)]
fn a_word_twice(request request: &mut Parts) {}

#[session_id_callback(Visit)]
fn without_an_argument(: &mut Parts) {}

fn main() {}
