//! A constant that is no cookie's name.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

mod names {
    pub const COOKIE: &str = "visit=1";
}

fn main() {
    let _ = session!(<Visit>, cookie_name = names::COOKIE);
}
