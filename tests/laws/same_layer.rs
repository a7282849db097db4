//! Two layers of one data type on one request: the very same one twice counts once, and two different ones are refused.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionData, SessionError, SessionLayer, standard};
use std::sync::Arc;
use tower::ServiceExt as _;

use crate::support::Client;
use crate::support::visit::{Visit, add, lazy, router, standard as standard_layer};

fn pages(layer: SessionLayer<Visit>) -> Router {
    Router::new()
        .route("/add", post(async |session: SessionData<Visit>| add(&session).await))
        .route("/read", get(async |session: SessionData<Visit>| session.count.to_string()))
        .layer(layer)
}

#[tokio::test]
async fn the_very_same_layer_twice_counts_once() {
    for (builder, store) in [lazy(), standard_layer()] {
        let layer = builder.build().unwrap();
        let inner = pages(layer.clone());
        let nested = Router::new().nest("/inner", inner.clone()).fallback_service(inner.clone()).layer(layer.clone());
        let sub = Router::new()
            .route(
                "/sub/{*rest}",
                any(async |State(inner): State<Router>, request: Request| -> Response {
                    let (mut parts, body) = request.into_parts();
                    parts.uri = parts.uri.path().trim_start_matches("/sub").parse().unwrap();
                    inner.oneshot(Request::from_parts(parts, body)).await.unwrap()
                }),
            )
            .with_state(inner)
            .layer(layer);
        let mut client = Client::of(nested.merge(sub));
        for (count, path) in ["/inner/add", "/add", "/sub/add"].into_iter().enumerate() {
            let answer = client.post(path).await;
            assert_eq!((answer.status, answer.body), (StatusCode::OK, (count + 1).to_string()), "{path}");
            assert_eq!(answer.headers.get_all("set-cookie").iter().count(), usize::from(count == 0), "{path}");
        }
        assert_eq!(store.store.len(), 1);
    }
}

#[tokio::test]
async fn the_same_layer_with_a_middleware_of_the_users_runs_it_once() {
    async fn middleware(session: Session<Visit>, mut request: Request, next: axum::middleware::Next) -> Response {
        let ran: u32 = request.headers().get("ran").map_or(0, |_| 1);
        request.headers_mut().insert("ran", "yes".parse().unwrap());
        let mut response = standard::lazy_session_middleware(session, request, next).await;
        response.headers_mut().append("ran", ran.into());
        response
    }
    let layer = SessionLayer::<Visit>::builder().middleware(middleware).build().unwrap();
    let mut client = Client::of(Router::new().nest("/inner", pages(layer.clone())).layer(layer));
    let answer = client.post("/inner/add").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "1"));
    assert_eq!(answer.headers.get_all("ran").iter().count(), 1);
}

#[tokio::test]
async fn two_different_ones_are_refused_and_nothing_is_stored_or_sent() {
    for outer_is_lazy in [true, false] {
        let stores = [Arc::new(MemoryStore::<Visit>::new()), Arc::new(MemoryStore::<Visit>::new())];
        let layer = |number: usize| {
            let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(Arc::clone(&stores[number]));
            if outer_is_lazy { builder.middleware(standard::lazy_session_middleware) } else { builder }
        };
        let app = Router::new().nest("/inner", router(layer(0))).layer(layer(1).build().unwrap());
        for path in ["/inner/read", "/inner/untouched"] {
            let answer = Client::of(app.clone()).get(path).await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::INTERNAL_SERVER_ERROR, None));
            assert!(answer.body.contains("clones of it"), "{}", answer.body);
        }
        assert_eq!(stores.each_ref().map(|store| store.len()), [0, 0]);
    }
}

#[tokio::test]
async fn layers_of_two_data_types_with_one_cookie_are_told_to_take_another_name() {
    #[derive(Clone, Default)]
    struct Cart;
    let inner = Router::new()
        .route("/", get(async |_: SessionData<Cart>| -> Result<(), SessionError> { Ok(()) }))
        .layer(SessionLayer::<Cart>::builder().build().unwrap());
    let (builder, store) = standard_layer();
    let answer = Client::of(Router::new().nest("/inner", inner).layer(builder.build().unwrap())).get("/inner").await;
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::INTERNAL_SERVER_ERROR, None));
    assert!(answer.body.contains("another `cookie_name`"), "{}", answer.body);
    assert_eq!(store.store.len(), 0);
}
