//! The data of sessions is one concrete type.

use session_runtime::generate_session_id;

trait Data {}

#[generate_session_id(dyn Data)]
fn of_objects() -> String {
    String::new()
}

#[generate_session_id(impl Data)]
fn of_any() -> String {
    String::new()
}

#[generate_session_id((dyn Data + Send))]
fn in_parentheses() -> String {
    String::new()
}

fn main() {}
