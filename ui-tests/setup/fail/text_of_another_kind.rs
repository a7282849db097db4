//! A text in other quotes.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = b"sid");
    let _ = session!(<Visit>, cookie_name = c"sid");
    let _ = session!(<Visit>, cookie_name = 's');
}
