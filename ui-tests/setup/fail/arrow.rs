//! `=>` instead of `=`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure => true, path = "/");
}
