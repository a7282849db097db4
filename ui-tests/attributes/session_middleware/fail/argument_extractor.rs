//! An extractor stands where the session system does.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{SessionData, session_middleware};

#[derive(Clone, Default)]
struct Visit;

#[session_middleware(Visit)]
async fn middleware(_session: SessionData<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
