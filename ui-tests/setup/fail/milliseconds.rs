//! A unit that is too small.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, store_timeout = 500ms);
}
