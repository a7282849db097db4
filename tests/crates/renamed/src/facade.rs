//! The runtime as `::facade::session`.

use ::axum::extract::Request;
use ::axum::http::request::Parts;
use ::axum::middleware::Next;
use ::axum::response::Response;
use ::axum::Router;
use ::facade::session::{
    generate_session_id, session, session_id_callback, session_middleware, standard, Session, SessionRequestExt as _,
};
use ::std::clone::Clone;
use ::std::default::Default;
use ::std::option::Option;
use ::std::string::String;

/// A session's data.
#[derive(Clone, Default)]
pub struct Visit;

#[session_id_callback(Visit, crate = ::facade::session)]
fn find(request: &Parts) -> Option<&str> {
    request.cookie("id")
}

#[generate_session_id(Visit, crate = ::facade::session)]
async fn generate() -> String {
    standard::generate_session_id().await
}

#[session_middleware(Visit, crate = ::facade::session)]
async fn middleware(session_system: Session<Visit>, request: Request, next: Next) -> Response {
    standard::lazy_session_middleware(session_system, request, next).await
}

/// A router with the sessions.
pub fn app(router: Router) -> Router {
    router.layer(session!(<Visit>, session_expire = 30m))
}
