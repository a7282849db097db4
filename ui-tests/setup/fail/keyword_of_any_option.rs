//! A keyword in place of a callback, a store and a text.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_id_callback = fn);
    let _ = session!(<Visit>, store = crate, secure = true);
    let _ = session!(<Visit>, cookie_name = type);
}
