//! A value of the data type in place of the type.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(Visit::default());
    let _ = session!(Visit {}, secure = true);
    let _ = session!(<Visit>::default());
}
