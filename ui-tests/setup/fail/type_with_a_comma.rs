//! What stands behind the type in its brackets.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit,>);
    let _ = session!(<Visit;>, secure = true);
    let _ = session!(<<Visit>);
}
