//! `Parts` is not imported, and the function is registered.

use session_runtime::session_id_callback;

#[derive(Clone, Default)]
struct Visit;

#[session_id_callback(Visit)]
fn callback(_request: &mut Parts) {}

fn main() {}
