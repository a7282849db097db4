//! `partitioned` beside `secure = false`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, partitioned = true, secure = false);
}
