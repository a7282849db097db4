//! A cookie's name that is known only when the program runs.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn name() -> &'static str {
    "visit"
}

fn main() {
    let _ = session!(<Visit>, cookie_name = name());
}
