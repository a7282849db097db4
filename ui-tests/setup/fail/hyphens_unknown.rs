//! Names with hyphens that are no options even without.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie-nam = "visit");
    let _ = session!(<Visit>, max-age = 5);
    let _ = session!(<Visit>, http-only = true);
}
