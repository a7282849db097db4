//! An attribute on an option.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, #[cfg(debug_assertions)] secure = false);
    let _ = session!(<Visit>, path = "/", #[cfg(unix)] persistent = true);
    let _ = session!(<Visit>, #[allow(unused)] store = ());
}
