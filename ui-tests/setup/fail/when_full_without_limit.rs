//! What becomes of a login beyond a limit, where there is none.

use session_runtime::{WhenFull, session, session_owner};

#[derive(Clone, Default)]
struct Visit;

#[session_owner(Visit)]
fn owner(_: &Visit) -> Option<u64> {
    None
}

const REFUSE: WhenFull = WhenFull::Refuse;

fn main() {
    let _ = session!(<Visit>, when_full = Refuse);
    let _ = session!(<Visit>, when_full = REFUSE, session_expire = 30m);
    let _ = session!(<Visit>, when_full = EndOldest, owner = owner);
    // What could not be read may have been the limit.
    let _ = session!(<Visit>, when_full = Refuse, owner_limt = 5);
    let _ = session!(<Visit>, when_full = Refuse, owner_limit = 0);
}
