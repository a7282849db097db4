//! A limit to the sessions of an owner, where there is none.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit<T>(T);

fn guest(_: &Visit<u8>) -> Option<u64> {
    None
}

fn main() {
    let _ = session!(<Visit<u64>>, session_expire = 30m, owner_limit = 5);
    let _ = session!(<Visit<u64>>, owner_limit = 5, owner = |visit: &Visit<u64>| Some(visit.0));
    let _ = session!(<Visit<u8>>, owner_limit = 5, owners = guest);
    let _ = session!(<Visit<u8>>, owner_limit = 5, owner = Some(guest));
    let _ = session!(<Visitt>, owner_limit = 5);
}
