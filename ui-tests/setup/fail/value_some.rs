//! A value in `Some`.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, absolute_expire = Some(24h));
}
