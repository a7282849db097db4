//! `__Host-` beside another path.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = "__Host-visit", path = "/shop");
}
