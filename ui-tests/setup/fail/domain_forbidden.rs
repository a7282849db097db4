//! A domain with a scheme.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, domain = "https://example.com");
}
