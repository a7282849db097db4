//! A part of the domain ends with a hyphen.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, domain = "shop-.example.com");
}
