//! Passed by name, generic or not, as closures, and as what captures: without an attribute.
#![deny(warnings)]

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, SessionLayer, standard};

#[derive(Clone, Default)]
struct Visit;

fn now(_: Session<Visit>, _: Request, _: Next) -> &'static str {
    "maintenance"
}

async fn later(_: Session<Visit>, request: Request, next: Next) -> Response {
    next.run(request).await
}

async fn generic<T>(_: Session<T>, request: Request, next: Next) -> Response
where
    T: Clone + Send + Sync + 'static,
{
    next.run(request).await
}

fn boxed(_: Session<Visit>, request: Request, next: Next) -> Pin<Box<dyn Future<Output = Response> + Send>> {
    Box::pin(next.run(request))
}

fn main() {
    let text = Arc::<str>::from("maintenance");
    let builder = SessionLayer::<Visit>::builder;
    let _ = builder().middleware(now);
    let _ = builder().middleware(later);
    let _ = builder().middleware(generic);
    let _ = builder().middleware(boxed);
    let _ = builder().middleware(standard::session_middleware);
    let _ = builder().middleware(standard::lazy_session_middleware);
    let _ = builder().middleware(standard::lazy_session_middleware::<Visit>);
    let _ = builder().middleware(|session_system, request, next| async move { later(session_system, request, next).await });
    let _ = builder().middleware(move |_: Session<Visit>, _: Request, _: Next| text.to_string());
}
