//! The request is missing, between the others.

use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[derive(Clone, Default)]
struct Visit;

#[session_middleware]
async fn middleware(session: Session<Visit>, next: Next) -> Response {
    todo!()
}

fn main() {}
