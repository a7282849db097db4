//! The data is not `Clone`.

use session_runtime::session;

#[derive(Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>);
}
