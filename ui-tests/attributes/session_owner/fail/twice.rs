//! One role, said once.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner]
#[session_owner(Visit)]
fn owner(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
#[session_runtime::session_id_callback]
fn of_two_roles(visit: &Visit) -> Option<u64> {
    visit.user
}

fn main() {}
