//! The data type is not concrete.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<impl Clone>);
}
