//! A closure without its body.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, middleware = |session_system, request, next|);
}
