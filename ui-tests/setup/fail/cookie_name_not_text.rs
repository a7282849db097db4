//! A cookie's name that is no text.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = visit);
}
