//! Only a free function can be named beside it.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

impl Visit {
    #[session_owner]
    fn of_self(&self) -> Option<u64> {
        self.user
    }

    #[session_owner]
    fn of_the_type(visit: &Self) -> Option<u64> {
        visit.user
    }
}

trait Owned {
    #[session_owner]
    fn owner(visit: &Visit) -> Option<u64>;
}

fn main() {}
