//! A duration in words.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 2 hours and 30 minutes, secure = true);
}
