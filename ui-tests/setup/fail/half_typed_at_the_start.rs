//! Values that end after their first token.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = move);
    let _ = session!(<Visit>, secure = #);
    let _ = session!(<Visit>, secure = let);
}
