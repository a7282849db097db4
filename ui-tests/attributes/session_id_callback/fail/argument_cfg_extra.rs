use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, generate_session_id, session_id_callback, session_middleware};

struct Visit;

#[session_id_callback]
fn callback(#[cfg(test)] _log: u8, _request: &mut Parts) {}

#[generate_session_id(Visit)]
fn generate(#[cfg(not(test))] _length: usize) -> String {
    String::new()
}

#[session_middleware(Visit)]
async fn middleware(_session_system: Session<Visit>, request: Request, next: Next, #[cfg(not(test))] _log: u8) -> Response {
    next.run(request).await
}

fn main() {}
