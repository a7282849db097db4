//! The form of `axum::middleware::from_fn_with_state`, with the session system added.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[derive(Clone, Default)]
struct Visit;

#[session_middleware(Visit)]
async fn middleware(State(_limit): State<u8>, _session_system: Session<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
