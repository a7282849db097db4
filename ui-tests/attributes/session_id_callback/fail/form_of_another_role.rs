//! The attribute of another role.

use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, generate_session_id, session_id_callback, session_middleware, session_owner};

#[derive(Clone, Default)]
struct Visit;

#[generate_session_id(Visit)]
fn finds(request: &mut Parts) {
    let _ = request;
}

#[session_middleware(Visit)]
async fn finds_later(request: &Parts) -> Option<&str> {
    request.uri.query()
}

#[session_id_callback]
fn generates() -> String {
    String::new()
}

#[session_owner]
async fn drives(_: Session<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_id_callback(Visit)]
fn owns(_: &Visit) -> Option<u64> {
    None
}

fn main() {}
