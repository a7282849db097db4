//! An owner function only reads the data.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn registered(visit: &mut Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn checked(visit: &mut Visit) -> Option<u64> {
    visit.user.take()
}

#[session_owner]
fn mutable_text(visit: &mut String) -> Option<&str> {
    Some(visit)
}

fn main() {}
