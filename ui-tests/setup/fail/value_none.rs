//! `None` for an option that is left out.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, domain = None, secure = true);
}
