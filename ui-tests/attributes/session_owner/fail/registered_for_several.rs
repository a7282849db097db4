//! A function of one data type is registered for another one, too.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

struct Admin {
    user: Option<u64>,
}

struct Guest;

trait Named {
    fn name(&self) -> Option<&str>;
}

impl Named for Visit {
    fn name(&self) -> Option<&str> {
        None
    }
}

#[session_owner(Visit, Admin)]
fn of_one(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner(Guest)]
fn of_a_trait(data: &dyn Named) -> Option<&str> {
    data.name()
}

fn main() {}
