use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

trait Anything {}

struct Visit;

#[session_middleware]
async fn checked(session_system: Session<dyn Clone>, request: Request, next: Next) -> Response {
    drop(session_system);
    next.run(request).await
}

#[session_middleware(Visit)]
fn registered(_session_system: Session<dyn Anything + Send>, _request: Request, _next: Next) -> Response {
    Response::default()
}

#[session_middleware]
fn hidden(_session_system: Session<dyn Anything>, _request: Request, _next: Next) -> impl axum::response::IntoResponse {
    "a text"
}

fn main() {}
