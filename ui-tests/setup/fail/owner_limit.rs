//! A limit is a number of at least 1.

use session_runtime::{session, session_owner};

#[derive(Clone, Default)]
struct Visit;

#[session_owner(Visit)]
fn owner(_: &Visit) -> Option<u64> {
    None
}

const NONE: u32 = 0;
const TOO_LARGE: u64 = 5;

fn main() {
    let _ = session!(<Visit>, owner_limit = 0);
    let _ = session!(<Visit>, owner_limit = NONE);
    let _ = session!(<Visit>, owner_limit = -1);
    let _ = session!(<Visit>, owner_limit = "5");
    let _ = session!(<Visit>, owner_limit = 5m);
    let _ = session!(<Visit>, owner_limit = TOO_LARGE);
    let _ = session!(<Visit>, owner_limit = None);
}
