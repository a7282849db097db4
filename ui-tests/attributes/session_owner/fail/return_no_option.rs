//! A guest is nobody, which only an `Option` can say.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
fn a_number(visit: &Visit) -> u64 {
    visit.user.unwrap_or_default()
}

#[session_owner]
fn a_text(visit: &Visit) -> &str {
    ""
}

#[session_owner]
fn whether(visit: &Visit) -> bool {
    visit.user.is_some()
}

fn main() {}
