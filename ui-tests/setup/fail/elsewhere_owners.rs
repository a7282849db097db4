//! Words for owners that are known from elsewhere.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, max_sessions = 5);
    let _ = session!(<Visit>, user_id = user);
    let _ = session!(<Visit>, login_url = "/login");
}
