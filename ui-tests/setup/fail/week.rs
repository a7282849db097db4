//! Weeks are no unit.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 1 week);
}
