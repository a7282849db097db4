use axum::extract::Request;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
async fn middleware(_session_system: Session<Visit>, _request: Request, _next: Next) -> Response {
    Response::default()
}

/// Not axum's.
struct Next;

fn main() {}
