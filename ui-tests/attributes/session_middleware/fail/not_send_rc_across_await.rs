use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};
use std::rc::Rc;

struct Visit;

#[session_middleware(Visit)]
async fn middleware(_session_system: Session<Visit>, request: Request, next: Next) -> Response {
    let shared = Rc::new(1);
    let response = next.run(request).await;
    drop(shared);
    response
}

fn main() {}
