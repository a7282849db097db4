//! A comma is missing, and the rest would be an assignment.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = true && persistent = true);
    let _ = session!(<Visit>, secure = persistent = true);
    let _ = session!(<Visit>, cookie_name = path = "/");
}
