use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[session_middleware]
async fn middleware<T>(_session_system: Session<T>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
