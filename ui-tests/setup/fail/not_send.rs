//! The data cannot be sent to another thread.

use std::rc::Rc;

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit {
    name: Rc<str>,
}

fn main() {
    let _ = session!(<Visit>);
}
