//! A text is no duration.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const LIMIT: &str = "24h";

fn main() {
    let _ = session!(<Visit>, session_expire = LIMIT);
}
