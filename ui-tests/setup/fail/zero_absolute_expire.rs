//! `absolute_expire` is zero.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, absolute_expire = 0);
}
