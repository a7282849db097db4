//! Words that are no duration.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = half an hour, secure = true);
}
