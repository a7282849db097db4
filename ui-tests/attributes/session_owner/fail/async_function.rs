//! It is computed in the step that writes the data.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
async fn registered(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
async fn checked(visit: &Visit) -> Option<&str> {
    None
}

#[session_owner]
pub(crate) async fn of_nobody(_: &Visit) -> Option<String> {
    None
}

fn main() {}
