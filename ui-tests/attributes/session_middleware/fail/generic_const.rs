use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
async fn middleware<const N: usize>(_session_system: Session<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
