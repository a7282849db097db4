//! A keyword in place of a value.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = crate);
    let _ = session!(<Visit>, same_site = super, path = "/");
    let _ = session!(<Visit>, session_expire = struct);
}
