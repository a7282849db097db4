//! It is computed in the step that writes the data.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

use std::pin::Pin;

#[session_owner(Visit)]
fn registered(visit: &Visit) -> impl Future<Output = Option<u64>> + Send + use<> {
    let user = visit.user;
    async move { user }
}

#[session_owner]
fn boxed(visit: &Visit) -> Pin<Box<dyn Future<Output = Option<u64>> + Send>> {
    let user = visit.user;
    Box::pin(async move { user })
}

fn main() {}
