//! There is nothing to borrow from.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[derive(Clone)]
struct Visit;

#[session_middleware]
async fn a_response(_: Session<Visit>, _: Request, _: Next) -> &Response {
    todo!()
}

#[session_middleware(Visit)]
fn a_text(_: Session<Visit>, _: Request, _: Next) -> Result<&str, Response> {
    todo!()
}

#[session_middleware]
fn of_an_unknown_lifetime(_: Session<Visit>, _: Request, _: Next) -> Option<&'_ str> {
    todo!()
}

fn main() {}
