//! Two data types.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

struct Admin;

fn main() {
    let _ = session!(Visit, Admin);
}
