//! `store_timeout` is zero.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, store_timeout = 0);
}
