//! A value that is half typed, before another option.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 24h +, secure = true);
}
