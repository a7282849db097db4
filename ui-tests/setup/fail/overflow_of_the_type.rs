//! A constant whose type cannot hold the seconds.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const DAYS: u8 = 1;

fn main() {
    let _ = session!(<Visit>, absolute_expire = DAYS + 1h);
}
