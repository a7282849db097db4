//! A flag that is known only when the program runs.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let production = std::env::args().count() > 1;
    let _ = session!(<Visit>, secure = production);
}
