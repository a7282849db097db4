//! Every documented form, and every place.
#![deny(warnings)]

use std::pin::Pin;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use session_runtime::{Session, session_middleware, standard};

type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;
type Visits = Session<Visit>;

#[derive(Clone)]
pub struct Visit;
pub struct Admin;
pub struct Shop;

#[session_middleware(Visit)]
pub async fn later(session_system: Session<Visit>, request: Request, next: Next) -> Response {
    standard::session_middleware(session_system, request, next).await
}

#[session_middleware(Admin)]
#[deprecated]
pub fn now(_session_system: Session<Admin>, _request: Request, _next: Next) -> &'static str {
    "maintenance"
}

#[session_middleware]
pub async fn checked_only(_session_system: Session<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_middleware]
pub async fn result(_session_system: Visits, request: Request, next: Next) -> Result<Response, StatusCode> {
    Ok(next.run(request).await)
}

#[session_middleware]
pub async fn hidden(_: Session<Visit>, request: axum::extract::Request, next: axum::middleware::Next) -> impl IntoResponse {
    next.run(request).await
}

#[session_middleware(Shop)]
pub async fn hidden_and_registered(_: Session<Shop>, mut request: Request, next: Next) -> Result<impl IntoResponse, StatusCode> {
    request.headers_mut().clear();
    Ok(next.run(request).await)
}

#[session_middleware]
pub fn hidden_now(_: Session<Visit>, _: axum::http::Request<axum::body::Body>, _: Next) -> impl IntoResponse {
    "now"
}

#[session_middleware]
pub fn by_impl_future(_: Session<Visit>, request: Request, next: Next) -> impl Future<Output = Response> {
    next.run(request)
}

#[session_middleware]
pub fn by_impl_future_of_hidden(_: Session<Visit>, request: Request, next: Next) -> impl Future<Output = impl IntoResponse> {
    next.run(request)
}

#[session_middleware]
pub fn by_box_future(_: Session<Visit>, request: Request, next: Next) -> BoxFuture<Response> {
    Box::pin(next.run(request))
}

/// A function may have the name of what the generated code names.
#[session_middleware]
pub async fn next(_: Session<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {}
