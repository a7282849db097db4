//! It cannot fail.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

use session_runtime::SessionError;

#[session_owner(Visit)]
fn a_number(visit: &Visit) -> Result<u64, SessionError> {
    visit.user.ok_or(SessionError::NotExists)
}

#[session_owner]
fn maybe_a_number(visit: &Visit) -> Result<Option<u64>, SessionError> {
    Ok(visit.user)
}

#[session_owner]
fn maybe_a_result(visit: &Visit) -> Option<Result<u64, SessionError>> {
    None
}

fn main() {}
