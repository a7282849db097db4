//! The data has no `Default`, and no `default_data` is given.

use session_runtime::session;

#[derive(Clone)]
struct Visit;

fn main() {
    let _ = session!(<Visit>);
}
