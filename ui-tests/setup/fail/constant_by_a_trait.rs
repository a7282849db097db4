//! What no constant can call.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = Default::default());
    let _ = session!(<Visit>, session_expire = u64::from(5_u8));
}
