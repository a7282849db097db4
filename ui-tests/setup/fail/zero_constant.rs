//! A constant duration of zero.

use session_runtime::session;
use std::time::Duration;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = Duration::ZERO);
}
