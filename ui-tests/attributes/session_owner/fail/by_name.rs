//! Functions that are passed by name without the attribute.

use session_runtime::{SessionLayer, session};

#[derive(Clone, Default)]
struct Visit {
    user: Option<u64>,
}

struct Admin;

fn of_other_data(_admin: &Admin) -> Option<u64> {
    None
}

fn no_option(visit: &Visit) -> u64 {
    visit.user.unwrap_or_default()
}

async fn later(visit: &Visit) -> Option<u64> {
    visit.user
}

fn main() {
    let _ = session!(<Visit>, owner = of_other_data);
    let _ = session!(<Visit>, owner = no_option);
    let _ = session!(<Visit>, owner = later);
    let _ = session!(<Visit>, owner = 5);
    let _ = SessionLayer::<Visit>::builder().owner(no_option);
}
