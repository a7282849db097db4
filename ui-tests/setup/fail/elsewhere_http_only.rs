//! A word of other libraries.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, http_only = true, secure = true);
}
