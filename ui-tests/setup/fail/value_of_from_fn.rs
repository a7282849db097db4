//! A layer of axum as the middleware.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

async fn middleware(request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {
    let _ = session!(<Visit>, middleware = from_fn(middleware));
}
