//! The data by value.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn registered(visit: Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn checked(visit: Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn boxed(visit: Box<Visit>) -> Option<u64> {
    visit.user
}

fn main() {}
