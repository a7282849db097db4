//! A middleware of every form, registered or passed by name, is the one that runs.

use std::pin::Pin;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use session_runtime::{Session, SessionLayer, session, session_middleware, standard};

use crate::support::Client;

type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

macro_rules! data {
    ($($data:ident)*) => {$(
        #[derive(Clone, Default)]
        struct $data;
    )*};
}

data!(Unregistered Later Now Hidden ByImpl ByBox);

/// Marks the response of what comes next.
async fn marked<T: Clone + Send + Sync + 'static>(
    mark: &'static str,
    session_system: Session<T>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = standard::session_middleware(session_system, request, next).await;
    response.headers_mut().insert("x-mark", HeaderValue::from_static(mark));
    response
}

#[session_middleware(Later)]
async fn later(session_system: Session<Later>, request: Request, next: Next) -> Response {
    marked("later", session_system, request, next).await
}

#[session_middleware(Now)]
fn now(_session_system: Session<Now>, _request: Request, _next: Next) -> ([(&'static str, &'static str); 1], &'static str) {
    ([("x-mark", "now")], "closed")
}

#[session_middleware(Hidden)]
async fn hidden(session_system: Session<Hidden>, request: Request, next: Next) -> impl IntoResponse {
    marked("hidden", session_system, request, next).await
}

#[session_middleware(ByImpl)]
fn by_impl(session_system: Session<ByImpl>, request: Request, next: Next) -> impl Future<Output = impl IntoResponse> {
    marked("by-impl", session_system, request, next)
}

#[session_middleware(ByBox)]
fn by_box(session_system: Session<ByBox>, request: Request, next: Next) -> BoxFuture<Response> {
    Box::pin(marked("by-box", session_system, request, next))
}

/// What the middleware left: its mark, the body, and whether a session was created.
async fn ran<T: Clone + Send + Sync + 'static>(layer: SessionLayer<T>) -> (String, String, bool) {
    let app = Router::new().route("/", get(|| async { "open" })).layer(layer);
    let answer = Client::of(app).get("/").await;
    (answer.header("x-mark").unwrap_or_default().to_owned(), answer.body.clone(), answer.id().is_some())
}

macro_rules! assert_ran {
    (($mark:literal, $body:literal, $created:literal), $($options:tt)*) => {
        assert_eq!(ran(session!($($options)*)).await, ($mark.to_owned(), $body.to_owned(), $created), "{}", stringify!($($options)*));
    };
}

#[tokio::test]
async fn the_registered_middleware_is_the_one_that_runs_whatever_its_form() {
    assert_ran!(("later", "open", true), <Later>);
    assert_ran!(("now", "closed", false), <Now>);
    assert_ran!(("hidden", "open", true), <Hidden>);
    assert_ran!(("by-impl", "open", true), <ByImpl>);
    assert_ran!(("by-box", "open", true), <ByBox>);
}

#[tokio::test]
async fn without_a_registration_the_standard_middleware_runs() {
    assert_ran!(("", "open", true), <Unregistered>);
}

#[tokio::test]
async fn a_middleware_that_is_passed_by_name_wins_over_the_registered_one() {
    async fn generic<T: Clone + Send + Sync + 'static>(session_system: Session<T>, request: Request, next: Next) -> Response {
        marked("generic", session_system, request, next).await
    }
    assert_ran!(("generic", "open", true), <Later>, middleware = generic);
    assert_ran!(("", "open", true), <Later>, middleware = standard::session_middleware);
    assert_ran!(("", "open", false), <Later>, middleware = standard::lazy_session_middleware);
    assert_ran!(("", "open", false), <Later>, middleware = standard::lazy_session_middleware::<Later>);
}

#[tokio::test]
async fn closures_are_middlewares_too_also_those_that_capture() {
    let text = String::from("captured");
    assert_ran!(("", "captured", false), <Unregistered>, middleware = {
        move |_: Session<Unregistered>, _: Request, _: Next| text.clone()
    });
    assert_ran!(("closure", "open", true), <Unregistered>, middleware = {
        async |session_system: Session<Unregistered>, request: Request, next: Next| {
            marked("closure", session_system, request, next).await
        }
    });
}

/// A middleware around the handler is no place to turn the handler's panic into a response: that is the server's choice.
#[tokio::test]
#[should_panic(expected = "as the test wants")]
async fn a_panic_of_the_handler_passes_through_the_middleware() {
    async fn bad() {
        panic!("as the test wants");
    }
    let app = Router::new().route("/", get(bad)).layer(session!(<Later>));
    Client::of(app).get("/").await;
}
