//! What other libraries have an option for, and this one does by itself.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, unset = "destroy");
    let _ = session!(<Visit>, serializer = "json");
    let _ = session!(<Visit>, cleanup_interval = 1h);
    let _ = session!(<Visit>, use_strict_mode = true);
    let _ = session!(<Visit>, trust_proxy = true);
}
