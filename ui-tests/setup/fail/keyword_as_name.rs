//! A keyword in place of an option.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, crate = session_runtime);
    let _ = session!(<Visit>, let secure = true);
    let _ = session!(<Visit>, type = 5);
}
