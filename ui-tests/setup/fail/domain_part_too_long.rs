//! A part of the domain has 64 letters.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, domain = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com");
}
