//! Registered for a type of the standard library.

use std::collections::HashMap;

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback(std::collections::HashMap<String, String>)]
fn callback(_request: &mut Parts) {}

type _Data = HashMap<String, String>;

fn main() {}
