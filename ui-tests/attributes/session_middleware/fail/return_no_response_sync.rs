use axum::extract::Request;
use axum::middleware::Next;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
fn middleware(_session_system: Session<Visit>, _request: Request, _next: Next) -> u64 {
    4
}

fn main() {}
