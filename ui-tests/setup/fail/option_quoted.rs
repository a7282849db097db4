//! The name of an option in quotes.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, "cookie_name" = "sid");
    let _ = session!(<Visit>, "secure": true);
    let _ = session!(<Visit>, secure = true, "path" = "/");
}
