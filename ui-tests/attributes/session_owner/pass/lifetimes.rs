//! Data with a lifetime: what a session keeps lives as long as the program, so `'_` is that.
#![deny(warnings)]

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{
    Session, SessionOwner, generate_session_id, session, session_id_callback, session_middleware, session_owner,
};

#[derive(Clone, Default)]
struct Visit<'a>(&'a str);

#[derive(Clone, Default)]
struct Wrapped<T>(T);

#[session_owner(Visit<'_>)]
fn owner<'a>(visit: &'a Visit<'_>) -> Option<&'a str> {
    Some(visit.0)
}

#[session_id_callback(Visit<'_>, Wrapped<&str>)]
fn find(_: &mut Parts) {}

#[generate_session_id(Wrapped<&str>)]
fn generate() -> String {
    "0123456789abcdef0123456789abcdef".to_owned()
}

#[session_owner(Wrapped<&str>)]
fn wrapped_owner<'a>(wrapped: &'a Wrapped<&str>) -> Option<&'a str> {
    Some(wrapped.0)
}

#[session_middleware(Wrapped<&str>)]
async fn middleware(_: Session<Wrapped<&'static str>>, request: Request, next: Next) -> Response {
    next.run(request).await
}

async fn page(owner: SessionOwner<Visit<'static>>) -> String {
    owner.to_string()
}

fn main() {
    let router = Router::new().route("/", axum::routing::get(page));
    let _: Router =
        router.layer(session!(<Visit<'static>>, owner_limit = 5)).layer(session!(<Wrapped<&'static str>>, cookie_name = "w"));
}
