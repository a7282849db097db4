//! `__Host-` beside a domain.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = "__Host-visit", domain = "example.com");
}
