use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
const fn middleware(_session_system: Session<Visit>, _request: Request, _next: Next) -> Response {
    loop {}
}

fn main() {}
