//! A data type that does not exist is missed once, whatever names it.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visits>, default_data = Visit);
    let _ = session!(<Visitors>, owner_limit = 5);
}
