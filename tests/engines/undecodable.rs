//! Data that changed its type, and data that cannot be read: never overwritten.

use axum::extract::Path;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::store::{AnyStore, RedisStore};
use session_runtime::{OnUndecodable, SessionData, SessionLayer, standard};

use crate::app::{Counter, PATIENCE, serve, serve_router};
use crate::servers;
use crate::wire::Client;

/// What a later version of the program keeps: a field is gone, one is new.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Later {
    count: u64,
    #[serde(default)]
    visits: u32,
    theme: Option<String>,
}

/// What does not fit at all.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Other {
    count: Vec<bool>,
}

async fn store(prefix: &str) -> RedisStore {
    RedisStore::connect(servers::redis().url()).await.unwrap().key_prefix(prefix)
}

async fn address_of<T>(store: RedisStore, shows: fn(&T) -> String) -> String
where
    T: Clone + Default + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    address_where(OnUndecodable::Fail, store, shows).await
}

async fn address_where<T>(on_undecodable: OnUndecodable, store: RedisStore, shows: fn(&T) -> String) -> String
where
    T: Clone + Default + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    let layer = SessionLayer::<T>::builder()
        .store(store)
        .on_undecodable(on_undecodable)
        .store_timeout(PATIENCE)
        .secure(false)
        .middleware(standard::lazy_session_middleware);
    let show = async move |session: SessionData<T>| shows(&session);
    let change = async |session: SessionData<T>| session.update(|_| ()).await;
    serve_router(axum::Router::new().route("/", axum::routing::get(show).post(change)).layer(layer.build().unwrap())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_may_come_and_go() {
    let mut client = Client::to(&serve(AnyStore::new(store("fields:").await)).await).await;
    client.post("/name/ada").await;
    client.post("/add").await;
    let shows = |later: &Later| format!("{} {} {:?}", later.count, later.visits, later.theme);
    let later = address_of::<Later>(store("fields:").await, shows).await;
    assert_eq!(client.sibling(&later).await.get("/").await.body, "1 0 None");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_an_error_or_a_fresh_start_and_stays_as_it_is() {
    let mut client = Client::to(&serve(AnyStore::new(store("other:").await)).await).await;
    client.post("/add").await;
    let shows = |other: &Other| format!("{:?}", other.count);

    let fails = address_of::<Other>(store("other:").await, shows).await;
    let mut other = client.sibling(&fails).await;
    for method in ["GET", "POST"] {
        let answer = other.send(method, "/").await.unwrap();
        assert_eq!(answer.status, 500);
        assert!(!answer.body.contains('1'), "{}", answer.body);
    }

    let discards = address_where::<Other>(OnUndecodable::Discard, store("other:").await, shows).await;
    let mut other = client.sibling(&discards).await;
    let id = other.cookie.clone();
    assert_eq!(other.get("/").await.body, "[]");
    assert_eq!(other.post("/").await.status, 200);
    assert!(other.cookie.is_some() && other.cookie != id, "it has an id of its own");

    assert_eq!(client.get("/").await.body, "1", "what was stored is still there");
    assert_eq!(serde_json::to_string(&Counter::default()).unwrap(), r#"{"count":0,"name":null}"#);
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Average {
    of: f64,
    name: Option<String>,
}

/// Stores that keep the data as text write NaN as `null`, which is not read as a number: the session would be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_read_again_is_refused_and_leaves_the_session_as_it_was() {
    type Session = SessionData<Average>;
    let layer = SessionLayer::<Average>::builder()
        .store(store("average:").await)
        .store_timeout(PATIENCE)
        .secure(false)
        .middleware(standard::lazy_session_middleware)
        .build()
        .unwrap();
    let divide =
        async |session: Session, Path((sum, count)): Path<(f64, f64)>| session.update(|average| average.of = sum / count).await;
    let router = axum::Router::new()
        .route("/", get(async |session: Session| format!("{} {:?}", session.of, session.name)))
        .route("/{sum}/{count}", post(divide))
        .layer(layer);
    let mut client = Client::to(&serve_router(router).await).await;
    assert_eq!(client.post("/0/0").await.status, 500);
    assert_eq!(client.cookie, None, "nothing was stored");
    assert_eq!(client.post("/7/2").await.status, 200);
    for division in ["/0/0", "/1/0"] {
        assert_eq!(client.post(division).await.status, 500);
        assert_eq!(client.get("/").await.body, "3.5 None");
    }
}

/// A store in memory that was chosen by its URL refuses the same, so that a program that is tried with it works with an engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_that_is_chosen_by_its_url_refuses_the_same() {
    type Session = SessionData<Average>;
    let layer = SessionLayer::<Average>::builder()
        .store(session_runtime::store::connect("memory:").await.unwrap())
        .secure(false)
        .middleware(standard::lazy_session_middleware)
        .build()
        .unwrap();
    let set = async |session: Session, Path(of): Path<f64>| session.set(Average { of, name: None }).await;
    let log_in = async |session: Session, Path(of): Path<f64>| session.rotate_with(|average| average.of = of).await;
    let router = axum::Router::new()
        .route("/", get(async |session: Session| axum::Json(session)))
        .route("/set/{of}", post(set))
        .route("/log-in/{of}", post(log_in))
        .layer(layer);
    let mut client = Client::to(&serve_router(router).await).await;
    assert_eq!(client.post("/set/NaN").await.status, 500);
    assert_eq!(client.cookie, None, "nothing was stored");
    assert_eq!(client.post("/set/1.5").await.status, 200);
    for path in ["/set/inf", "/log-in/NaN"] {
        assert_eq!(client.post(path).await.status, 500, "{path}");
        assert_eq!(client.get("/").await.body, r#"{"of":1.5,"name":null}"#);
    }
}
