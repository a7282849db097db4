//! The data cannot be shared between threads.

use std::cell::RefCell;

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit {
    pages: RefCell<u32>,
}

fn main() {
    let _ = session!(<Visit>);
}
