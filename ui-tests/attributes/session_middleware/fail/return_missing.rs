use axum::extract::Request;
use axum::middleware::Next;
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
async fn middleware(_session_system: Session<Visit>, request: Request, next: Next) {
    next.run(request).await;
}

fn main() {}
