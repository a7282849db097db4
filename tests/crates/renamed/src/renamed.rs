//! The runtime as `::sessions`.

use ::axum::extract::Request;
use ::axum::http::request::Parts;
use ::axum::middleware::Next;
use ::axum::response::Response;
use ::axum::Router;
use ::sessions::{
    generate_session_id, session, session_id_callback, session_middleware, session_owner, standard, Session,
    SessionRequestExt as _,
};
use ::std::clone::Clone;
use ::std::default::Default;
use ::std::future::Future;
use ::std::option::Option;
use ::std::string::String;

/// A session's data.
#[derive(Clone, Default)]
pub struct Visit;

#[session_id_callback(Visit, crate = ::sessions)]
fn find(request: &Parts) -> Option<&str> {
    request.cookie("id")
}

/// Edition 2021 captures no lifetime by itself.
#[session_id_callback(crate = ::sessions)]
pub fn captures(request: &mut Parts) -> impl Future<Output = ()> + '_ {
    let is_found = request.cookie("id").is_some();
    async move {
        if !is_found {
            request.set_session_id("id");
        }
    }
}

#[generate_session_id(Visit, crate = ::sessions)]
async fn generate() -> String {
    standard::generate_session_id().await
}

/// A name in edition 2021, and a keyword in that of the macros.
#[must_use]
#[generate_session_id(crate = ::sessions)]
pub fn gen() -> String {
    String::new()
}

#[session_middleware(Visit, crate = ::sessions)]
async fn middleware(session_system: Session<Visit>, request: Request, next: Next) -> Response {
    standard::lazy_session_middleware(session_system, request, next).await
}

#[session_owner(Visit, crate = ::sessions)]
fn owner(_: &Visit) -> Option<&str> {
    Option::None
}

/// A router with the sessions.
pub fn app(router: Router) -> Router {
    router.layer(session!(<Visit>, session_expire = 30m))
}
