//! What is no option stands where the data type should.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(data = Visit);
    let _ = session!(T = Visit);
    let _ = session!(type = Visit);
}
