//! A second data type that is a path.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, crate::Admin);
    let _ = session!(<Visit>, std::collections::HashMap<u8, u8>, secure = true);
    let _ = session!(Visit, self::Admin);
}
