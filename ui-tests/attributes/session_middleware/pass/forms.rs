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

/// Types of one's own with the names of traits.
pub mod called_as_traits {
    use axum::extract::Request;
    use axum::middleware::Next;
    use axum::response::Response;
    use session_runtime::{Session, session_middleware};

    pub struct Visit;
    pub struct Display;

    impl axum::response::IntoResponse for Display {
        fn into_response(self) -> Response {
            Response::default()
        }
    }

    pub type IntoResponse = Result<Display, super::called_as_traits::Display>;

    #[session_middleware(Visit)]
    pub async fn registered(_: Session<Visit>, _: Request, _: Next) -> Display {
        Display
    }

    #[session_middleware]
    pub fn by_an_alias(_: Session<Visit>, _: Request, _: Next) -> IntoResponse {
        Ok(Display)
    }

    #[session_middleware]
    pub async fn in_a_result(_: Session<Visit>, _: Request, _: Next) -> Result<Display, super::called_as_traits::Display> {
        Ok(Display)
    }
}

/// A future that may not be sent, in a type that is no future.
pub struct Unsent(Pin<Box<dyn Future<Output = Response>>>);

impl IntoResponse for Unsent {
    fn into_response(self) -> Response {
        drop(self.0);
        "never polled".into_response()
    }
}

pub struct Holder<F: ?Sized>(Box<F>);

impl<F: ?Sized> IntoResponse for Holder<F> {
    fn into_response(self) -> Response {
        drop(self.0);
        "never polled".into_response()
    }
}

#[session_middleware]
pub fn holds_a_future(_: Session<Visit>, request: Request, next: Next) -> Holder<dyn Future<Output = Response>> {
    Holder(Box::new(next.run(request)))
}

#[session_middleware]
pub fn hides_a_future(_: Session<Visit>, request: Request, next: Next) -> Unsent {
    Unsent(Box::pin(next.run(request)))
}

fn main() {}
