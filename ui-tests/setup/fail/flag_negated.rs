//! A flag with `!` before it.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, !secure);
    let _ = session!(<Visit>, !persistent, path = "/");
    let _ = session!(<Visit>, path = "/", !partitioned);
}
