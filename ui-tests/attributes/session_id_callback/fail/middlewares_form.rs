//! A middleware under the wrong attribute.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn middleware(request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
