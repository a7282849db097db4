//! What no owner is known by.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

struct Account(u64);

#[session_owner(Visit)]
fn a_type_of_its_own(visit: &Visit) -> Option<Account> {
    visit.user.map(Account)
}

#[session_owner]
fn a_fraction(visit: &Visit) -> Option<f64> {
    None
}

#[session_owner]
fn some_bytes(visit: &Visit) -> Option<&[u8]> {
    None
}

#[session_owner]
fn too_few_bytes(visit: &Visit) -> Option<[u8; 8]> {
    None
}

fn main() {}
