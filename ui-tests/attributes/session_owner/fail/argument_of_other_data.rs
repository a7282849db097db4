//! The data of other sessions than it is registered for.

#![allow(unused)]

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

struct Admin;

#[session_owner(Visit)]
fn of_other_data(admin: &Admin) -> Option<u64> {
    None
}

#[session_owner(Admin)]
fn of_the_session(admin: session_runtime::Session<Admin>) -> Option<u64> {
    None
}

mod request {
    use super::Visit;

    #[session_runtime::session_owner(Box<Visit>)]
    fn of_the_request(request: &axum::http::request::Parts) -> Option<u64> {
        None
    }
}

fn main() {}
