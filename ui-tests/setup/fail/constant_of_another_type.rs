//! A constant of another type.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const LIMIT: bool = true;

fn main() {
    let _ = session!(<Visit>, session_expire = LIMIT);
}
