//! An `async` function that returns a boxed future.

use std::pin::Pin;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[derive(Clone, Default)]
struct Visit;

#[session_middleware(Visit)]
async fn middleware(
    _session_system: Session<Visit>,
    request: Request,
    next: Next,
) -> Pin<Box<dyn Future<Output = Response> + Send>> {
    Box::pin(next.run(request))
}

fn main() {}
