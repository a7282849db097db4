//! No such variant.

use session_runtime::{SameSite, session};

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, same_site = SameSite::Laxx);
}
