//! What the attribute does not take.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(data = Visit)]
fn first(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner(<Visit>)]
fn second(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner(Visit, crate)]
fn third(visit: &Visit) -> Option<u64> {
    visit.user
}

fn main() {}
