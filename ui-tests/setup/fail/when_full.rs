//! What is to be done with one login too many.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, when_full = Refused);
    let _ = session!(<Visit>, when_full = "refuse");
    let _ = session!(<Visit>, when_full = true);
    let _ = session!(<Visit>, when_full);
}
