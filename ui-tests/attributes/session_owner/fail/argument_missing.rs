//! No argument.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn registered() -> Option<u64> {
    None
}

#[session_owner]
fn checked() -> Option<u64> {
    None
}

#[session_owner]
fn borrowed() -> Option<&str> {
    None
}

fn main() {}
