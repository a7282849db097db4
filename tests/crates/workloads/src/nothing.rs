//! No sessions at all: what every router costs.

use std::task::{Context, Poll};

use axum::Router;
use axum::routing::get;
use tower::Service;
use tower::layer::layer_fn;

pub(crate) fn bare() -> Router {
    let mut router = Router::new();
    for path in ["/untouched", "/read", "/write", "/new", "/rotate", "/counted"] {
        router = router.route(path, get(async || "ok"));
    }
    router
}

pub(crate) fn noop() -> Router {
    bare().layer(layer_fn(Noop))
}

#[derive(Clone)]
struct Noop<S>(S);

impl<S: Service<R>, R> Service<R> for Noop<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}
