//! Two numbers with units, one after the other.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 24h 30m);
}
