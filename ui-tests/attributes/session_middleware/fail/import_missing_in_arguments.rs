//! A type in the arguments of what is returned is not in scope: the compiler says it of the function, and says it once.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;
struct Admin;

#[session_middleware(Visit)]
async fn registered(_session_system: Session<Visit>, request: Request, next: Next) -> Result<Response, StatusCode> {
    Ok(next.run(request).await)
}

#[session_middleware]
async fn checked(_session_system: Session<Visit>, request: Request, next: Next) -> Result<Response, StatusCode> {
    Ok(next.run(request).await)
}

#[session_middleware(Admin)]
fn not_async(_session_system: Session<Admin>, _request: Request, _next: Next) -> Option<Html> {
    None
}

fn main() {}
