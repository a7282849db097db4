//! A negative constant.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const LIMIT: i64 = -5;

fn main() {
    let _ = session!(<Visit>, session_expire = LIMIT);
}
