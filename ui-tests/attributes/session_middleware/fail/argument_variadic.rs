use axum::{extract::Request, middleware::Next, response::Response};
use session_runtime::{Session, session_middleware};

struct Visit;

#[session_middleware]
async fn middleware(_: Session<Visit>, request: Request, next: Next, _: ...) -> Response {
    next.run(request).await
}

fn main() {}
