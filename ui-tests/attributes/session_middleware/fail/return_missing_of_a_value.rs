//! The type of what is returned is missing: that the value has another one is no second mistake.

use axum::extract::Request;
use axum::middleware::Next;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
async fn in_future(_session_system: Session<Visit>, request: Request, next: Next) {
    next.run(request).await
}

#[session_middleware]
fn sync(_session_system: Session<Visit>, _request: Request, _next: Next) {
    "text"
}


fn main() {}
