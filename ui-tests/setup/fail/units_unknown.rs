//! Words behind a number that are no unit and no option.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 5 fortnights);
    let _ = session!(<Visit>, session_expire = 60 * 60 * 24 seconds);
    let _ = session!(<Visit>, store_timeout = 2 ticks, secure = true);
}
