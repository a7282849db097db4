//! Nothing is returned.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn registered(visit: &Visit) {}

#[session_owner]
fn checked(_: &Visit) {}

fn main() {}
