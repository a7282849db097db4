//! A type without a name.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

use session_runtime::OwnerId;

#[session_owner(Visit)]
fn in_an_option(visit: &Visit) -> Option<impl OwnerId + use<>> {
    visit.user
}

#[session_owner]
fn alone(visit: &Visit) -> impl OwnerId + use<> {
    visit.user.unwrap_or_default()
}

fn main() {}
