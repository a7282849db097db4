//! A value that is no expression.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, store = MemoryStore::, secure = true);
}
