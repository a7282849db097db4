use std::pin::Pin;
use axum::{extract::Request, middleware::Next, response::Response};
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware(Visit)]
fn middleware(_: Session<Visit>, request: Request, next: Next) -> Pin<Box<dyn Future<Output = Response>>> {
    Box::pin(next.run(request))
}

fn main() {}
