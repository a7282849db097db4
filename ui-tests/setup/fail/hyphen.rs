//! A name with a hyphen.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie-name = "visit", secure = true);
}
