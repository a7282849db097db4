//! `__Host-` beside `secure = false`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = false, cookie_name = "__Host-visit");
}
