//! Arguments of a type that are missing, or that it does not take, are said once.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
async fn missing(_session_system: Session, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_middleware]
async fn by_path(_session_system: session_runtime::Session, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_middleware]
async fn too_many(_session_system: Session<Visit, u8>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
