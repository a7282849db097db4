//! A constant that is negative.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const HOURS: i32 = -2;

fn main() {
    let _ = session!(<Visit>, absolute_expire = HOURS * 1h);
}
