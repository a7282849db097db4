//! A path that is half typed.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, store = session_runtime::store::);
}
