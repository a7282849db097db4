//! The data are lent.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn registered(visit: &'static Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn checked(_: &'static Visit) -> Option<&'static str> {
    None
}

fn main() {}
