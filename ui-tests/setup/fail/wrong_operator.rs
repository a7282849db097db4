//! Other operators than `=`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure <- true);
    let _ = session!(<Visit>, secure is true);
    let _ = session!(<Visit>, secure.on = true);
}
