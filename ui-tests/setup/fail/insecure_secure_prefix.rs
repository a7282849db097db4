//! `__Secure-` beside `secure = false`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = "__Secure-visit", secure = false);
}
