//! A constant that is too large.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const LIMIT: u128 = u128::MAX;

fn main() {
    let _ = session!(<Visit>, store_timeout = LIMIT);
}
