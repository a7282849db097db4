use axum::http::request::Parts;
use session_runtime::{Session, session_id_callback};

struct Visit;

#[session_id_callback(Visit, crate = axum::http)]
fn callback(_request: &Parts) -> Option<&str> {
    None
}

#[session_id_callback(crate = ::sessions)]
fn checked(_request: &mut Parts) {}

fn main() {
    let _: Option<Session<Visit>> = None;
}
