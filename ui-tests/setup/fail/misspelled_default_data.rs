//! The one mistake is the option's name; that the data has no `Default` is none.

use session_runtime::session;

#[derive(Clone)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, default_dat = Visit);
}
