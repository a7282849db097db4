//! A name with several hyphens.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, on-store-error = Fail);
}
