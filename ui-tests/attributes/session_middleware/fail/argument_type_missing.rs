//! A type that is not in scope among the arguments is said once.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;

struct Admin;

#[session_middleware(Visit)]
async fn registered(_session_system: Session<Visti>, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_middleware]
async fn not_registered(_session_system: Session<Vist>, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_middleware(Admin)]
async fn body(_session_system: Session<Admin>, request: Request<Bdy>, next: Next) -> Response {
    next.run(request).await
}


fn main() {}
