//! Parameters that nobody gives.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

trait HasUser {
    fn user(&self) -> Option<u64>;
}

#[session_owner(Visit)]
fn of_a_type<T: HasUser>(data: &T) -> Option<u64> {
    data.user()
}

#[session_owner]
fn of_a_number<const N: usize>(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn of_what_it_is(data: &impl HasUser) -> Option<u64> {
    data.user()
}

fn main() {}
