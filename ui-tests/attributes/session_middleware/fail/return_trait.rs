//! A trait is no type, which the compiler says itself.

use std::fmt;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use session_runtime::{Session, session_middleware};

#[derive(Clone)]
struct Visit;

#[session_middleware(Visit)]
fn registered(_: Session<Visit>, _: Request, _: Next) -> IntoResponse {
    todo!()
}

#[session_middleware]
fn by_a_path(_: Session<Visit>, _: Request, _: Next) -> fmt::Display {
    todo!()
}

#[session_middleware]
fn in_a_result(_: Session<Visit>, _: Request, _: Next) -> Result<IntoResponse, Response> {
    todo!()
}

fn main() {}
