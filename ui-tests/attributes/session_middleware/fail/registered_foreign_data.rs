use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[session_middleware(String)]
async fn middleware(_session_system: Session<String>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
