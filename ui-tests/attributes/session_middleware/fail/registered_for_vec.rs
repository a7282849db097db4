//! Registered for a type of the standard library.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[session_middleware(Vec<u8>)]
async fn middleware(_session_system: Session<Vec<u8>>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
