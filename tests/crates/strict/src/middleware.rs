//! The middleware.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use session_runtime::{Session, session_middleware, standard};

use crate::{Admin, Visit};

/// Registered.
#[session_middleware(Visit)]
#[tracing::instrument(skip_all)]
async fn registered(session_system: Session<Visit>, request: Request, next: Next) -> Response {
    standard::session_middleware(session_system, request, next).await
}

/// Sync, and the middle arguments are not used.
#[session_middleware(Admin)]
fn sync(_session_system: Session<Admin>, _request: Request, _next: Next) -> impl IntoResponse {
    "maintenance"
}
