//! `same_site = None` beside `secure = false`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, same_site = None, secure = false);
}
