//! An expression that overflows.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, absolute_expire = 1_000_000_000 * 1_000_000_000_000d);
}
