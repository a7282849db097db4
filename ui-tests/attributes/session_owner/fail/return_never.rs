//! It must return.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn owner(visit: &Visit) -> ! {
    panic!()
}

fn main() {}
