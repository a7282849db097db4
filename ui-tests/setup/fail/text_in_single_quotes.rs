//! A text in single quotes, as in Python and JavaScript: the compiler says it.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = 'sid');
}
