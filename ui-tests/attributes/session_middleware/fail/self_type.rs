//! `Self` in the signature.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[derive(Clone, Default)]
struct Visit;

impl Visit {
    #[session_middleware]
    async fn middleware(_session_system: Session<Self>, request: Request, next: Next) -> Response {
        next.run(request).await
    }
}

fn main() {}
