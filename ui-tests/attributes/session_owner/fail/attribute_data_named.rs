//! The data type with a name before it.

use session_runtime::{generate_session_id, session_owner};

struct Visit;

#[session_owner(data = Visit)]
fn owner(_visit: &Visit) -> Option<u64> {
    None
}

#[generate_session_id(T = Visit)]
fn generate() -> String {
    String::new()
}

#[generate_session_id(type = crate::Visit)]
fn generate_by_path() -> String {
    String::new()
}

fn main() {}
