use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

#[derive(Clone)]
struct Visit;

#[session_middleware(Visit)]
async fn middleware((_session_system, request, next): (Session<Visit>, Request, Next)) -> Response {
    next.run(request).await
}

fn main() {}
