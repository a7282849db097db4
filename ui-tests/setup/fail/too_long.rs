//! A duration that is too long.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, absolute_expire = 1_000_000_000_000_000d);
}
