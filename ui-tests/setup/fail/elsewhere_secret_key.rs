//! A word of other libraries.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secret_key = "s3cr3t");
}
