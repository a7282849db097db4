//! The type of what is returned is missing: that the value has another one is no second mistake.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn owner(visit: &Visit) {
    visit.user
}

fn main() {}
