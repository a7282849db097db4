//! `session!` takes the callbacks that are registered for the data type, unless one is given by name; the standard ones where
//! there is neither.

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use session_runtime::{
    Session, SessionData, SessionLayer, generate_session_id, session, session_id_callback, session_middleware, standard,
};

use crate::support::Client;

/// All three callbacks are registered for it.
#[derive(Clone, Default)]
struct Visit;

#[session_id_callback(Visit)]
async fn registered_session_id(request: &mut Parts) {
    request.headers.insert("x-session-id", "registered".parse().unwrap());
    standard::fetch_session_id(request).await;
}

#[generate_session_id(Visit)]
fn registered_generate() -> String {
    format!("registered{}", standard_id())
}

#[session_middleware(Visit)]
async fn registered_middleware(session_system: Session<Visit>, request: Request, next: Next) -> Response {
    marked("registered", standard::session_middleware(session_system, request, next).await)
}

/// Nothing is registered for it.
#[derive(Clone, Default)]
struct Plain;

async fn named_session_id(request: &mut Parts) {
    request.headers.insert("x-session-id", "named".parse().unwrap());
    standard::fetch_session_id(request).await;
}

fn named_generate() -> String {
    format!("named{}", standard_id())
}

async fn named_middleware<T: Clone + Send + Sync + 'static>(
    session_system: Session<T>,
    request: Request,
    next: Next,
) -> Response {
    marked("named", standard::session_middleware(session_system, request, next).await)
}

fn standard_id() -> String {
    "0123456789abcdefghijklmnopqrstuvwxyz".to_owned()
}

fn marked(by: &'static str, mut response: Response) -> Response {
    response.headers_mut().insert("x-middleware", by.parse().unwrap());
    response
}

/// Which callbacks ran: the id callback's, the generator's and the middleware's mark.
async fn ran<T: Clone + Send + Sync + 'static>(layer: SessionLayer<T>) -> [String; 3] {
    let page = get(|_: SessionData<T>, request: Request| async move {
        request.headers().get("x-session-id").map_or("standard", |mark| mark.to_str().unwrap()).to_owned()
    });
    let answer = Client::of(Router::new().route("/", page).layer(layer)).get("/").await;
    let id = answer.id().expect("the session's id");
    let generated = ["registered", "named"].into_iter().find(|by| id.starts_with(by)).unwrap_or("standard").to_owned();
    let middleware = answer.headers.get("x-middleware").map_or("standard", |mark| mark.to_str().unwrap()).to_owned();
    [answer.body.clone(), generated, middleware]
}

#[tokio::test]
async fn registered_callbacks_are_the_ones_that_run() {
    assert_eq!(ran(session!(<Visit>)).await, ["registered"; 3]);
}

#[tokio::test]
async fn the_standard_callbacks_run_where_none_is_registered() {
    assert_eq!(ran(session!(<Plain>)).await, ["standard"; 3]);
}

#[tokio::test]
async fn a_callback_given_by_name_wins_over_the_registered_one() {
    let layer = session!(<Visit>, session_id_callback = named_session_id);
    assert_eq!(ran(layer).await, ["named", "registered", "registered"]);
    let layer = session!(<Visit>, generate_session_id_callback = named_generate);
    assert_eq!(ran(layer).await, ["registered", "named", "registered"]);
    let layer = session!(<Visit>, middleware = named_middleware);
    assert_eq!(ran(layer).await, ["registered", "registered", "named"]);
}

#[tokio::test]
async fn the_standard_callbacks_given_by_name_win_too() {
    let layer = session!(
        <Visit>,
        session_id_callback = standard::fetch_session_id,
        generate_session_id_callback = standard::generate_session_id,
        middleware = standard::session_middleware,
    );
    assert_eq!(ran(layer).await, ["standard"; 3]);
}

#[tokio::test]
async fn names_are_what_counts_in_a_generic_function() {
    fn layer<T: Clone + Default + Send + Sync + 'static>() -> SessionLayer<T> {
        session!(<T>, middleware = named_middleware)
    }
    assert_eq!(ran(layer::<Visit>()).await, ["standard", "standard", "named"]);
}

#[tokio::test]
async fn closures_are_callbacks_as_functions_are() {
    let by = "named";
    let layer = session!(
        <Visit>,
        session_id_callback = move |request: &mut Parts| {
            request.headers.insert("x-session-id", by.parse().unwrap());
        },
        generate_session_id_callback = move || format!("{by}{}", standard_id()),
        middleware = async |session_system: Session<Visit>, request: Request, next: Next| {
            marked("named", standard::session_middleware(session_system, request, next).await)
        },
    );
    assert_eq!(ran(layer).await, ["named"; 3]);
}
