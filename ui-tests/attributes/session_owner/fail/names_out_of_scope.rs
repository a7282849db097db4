//! What is not in scope: the compiler says it of the function, and says it once.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn a_type(visit: &Visit) -> Option<Uuid> {
    None
}

#[session_owner]
fn a_lifetime(visit: &'a Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn an_argument(visit: &Vist) -> Option<u64> {
    None
}

fn main() {}
