//! The form of `axum::middleware::from_fn`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::session_middleware;

#[derive(Clone, Default)]
struct Visit;

#[session_middleware(Visit)]
async fn middleware(request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
