//! A trait is no type, which the compiler says itself.

use std::fmt;

use session_runtime::{OwnerId, session_owner};

struct Visit;
struct Admin;

#[session_owner(Visit)]
fn registered(_: &Visit) -> Option<OwnerId> {
    None
}

#[session_owner(Admin)]
fn registered_by_a_path(_: &Admin) -> Option<fmt::Display> {
    None
}

#[session_owner]
fn alone(_: &Visit) -> ToString {
    todo!()
}

fn main() {}
