//! No sessions at all: what every router costs, and what axum costs any library of sessions.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use pin_project_lite::pin_project;
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

/// A layer that hands one `Arc` to the handler and takes it back with the response, to which it adds the headers of a session: all
/// that sessions cost without an id, a cookie that is read or written, or a store.
pub(crate) fn hand_over() -> Router {
    let mut router = Router::new().route("/untouched", get(async || "ok"));
    for (path, touch) in [("/read", READ), ("/write", READ), ("/new", CHANGED), ("/rotate", CHANGED), ("/counted", READ)] {
        let handler = async move |Handed(state): Handed| {
            black_box(&state.touched).store(touch, Ordering::Relaxed);
            "ok"
        };
        router = router.route(path, get(handler));
    }
    router.layer(layer_fn(HandOver))
}

const READ: u8 = 1;
const CHANGED: u8 = 2;

#[derive(Default)]
struct State {
    touched: AtomicU8,
}

/// What a handler takes.
struct Handed(Arc<State>);

impl<S: Sync> FromRequestParts<S> for Handed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Arc<State>>().cloned().unwrap_or_default()))
    }
}

#[derive(Clone)]
struct HandOver<S>(S);

impl<S: Service<Request, Error = Infallible>> Service<Request> for HandOver<S>
where
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Returning<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let state = Arc::new(State::default());
        request.extensions_mut().insert(Arc::clone(&state));
        Returning { inner: self.0.call(request), state }
    }
}

pin_project! {
    struct Returning<F> {
        #[pin]
        inner: F,
        state: Arc<State>,
    }
}

impl<F: Future<Output = Result<R, Infallible>>, R: IntoResponse> Future for Returning<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx)).unwrap_or_else(|never| match never {}).into_response();
        add_headers(this.state.touched.load(Ordering::Relaxed), response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

fn add_headers(touched: u8, headers: &mut HeaderMap) {
    if touched >= READ {
        headers.append(VARY, const { HeaderValue::from_static("cookie") });
    }
    if touched >= CHANGED {
        headers.append(SET_COOKIE, const { HeaderValue::from_static("SESSION_ID=0; Path=/; HttpOnly; SameSite=Lax; Secure") });
        headers.append(CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
    }
}
