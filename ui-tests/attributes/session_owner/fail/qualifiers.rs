//! What a callback is called without.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner]
unsafe fn dangerous(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
extern "C" fn of_another_language(visit: &Visit) -> Option<u64> {
    visit.user
}

fn main() {}
