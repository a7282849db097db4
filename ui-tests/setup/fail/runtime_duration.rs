//! A duration that is known only when the program runs.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let minutes = std::env::args().count() as u64;
    let _ = session!(<Visit>, session_expire = minutes * 60);
}
