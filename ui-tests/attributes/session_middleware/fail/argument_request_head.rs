use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};
use axum::http::request::Parts;

struct Visit;

#[session_middleware(Visit)]
async fn middleware(_session_system: Session<Visit>, _request: Parts, _next: Next) -> Response {
    Response::default()
}

fn main() {}
