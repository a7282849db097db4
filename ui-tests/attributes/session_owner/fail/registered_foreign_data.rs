//! Data types of other crates.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Vec<u8>)]
fn of_bytes(data: &Vec<u8>) -> Option<u64> {
    None
}

#[session_owner(std::collections::HashMap<String, u64>)]
fn of_a_map(data: &std::collections::HashMap<String, u64>) -> Option<u64> {
    data.get("user").copied()
}

#[session_owner(&Visit)]
fn of_a_reference(data: &Visit) -> Option<u64> {
    data.user
}

fn main() {}
