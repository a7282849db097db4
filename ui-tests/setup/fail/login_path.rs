//! A path of this site.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, login_path = "login");
    let _ = session!(<Visit>, login_path = "https://example.com/login");
    let _ = session!(<Visit>, login_path = "//example.com/login");
    let _ = session!(<Visit>, login_path = "/log in");
    let _ = session!(<Visit>, login_path = "/\\example.com/login");
    let _ = session!(<Visit>, login_path = "/login#form");
    let _ = session!(<Visit>, login_path = login);
}
