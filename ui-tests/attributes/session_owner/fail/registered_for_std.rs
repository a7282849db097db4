//! Registered for types of the standard library, which no tokens tell from types of one's own.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, generate_session_id, session_middleware, session_owner};

#[derive(Clone)]
struct Visit;

#[session_owner(HashMap<String, String>)]
fn of_a_map(_data: &HashMap<String, String>) -> Option<u64> {
    None
}

#[session_owner(str)]
fn of_a_text(_data: &str) -> Option<u64> {
    None
}

#[generate_session_id(Visit, String, std::path::PathBuf)]
async fn of_several() -> String {
    String::new()
}

#[session_middleware(std::sync::Arc<Visit>)]
async fn by_a_path(_session_system: Session<Arc<Visit>>, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_owner(std::num::NonZeroU8)]
fn of_what_is_not_known_here(_data: &std::num::NonZeroU8) -> Option<u64> {
    None
}

fn main() {}
