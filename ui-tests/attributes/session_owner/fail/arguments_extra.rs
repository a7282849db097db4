//! An owner is computed from the data alone.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

use axum::extract::State;
use axum::http::request::Parts;

#[session_owner(Visit)]
fn of_the_request(visit: &Visit, request: &Parts) -> Option<u64> {
    visit.user
}

#[session_owner]
fn of_a_number(visit: &Visit, number: u64) -> Option<u64> {
    visit.user
}

#[session_owner]
fn of_the_state(State(number): State<u64>, visit: &Visit) -> Option<u64> {
    visit.user
}

fn main() {}
