//! A session is of its kind: in every engine an id of one layer is unknown to another, also in one table and under one prefix.

use axum::Router;
use session_runtime::{SessionData, SessionLayer, standard};

use crate::app::{Counter, PATIENCE, connect, serve_router};
use crate::engine::{self, Engine};
use crate::wire::Client;

/// The counter of a layer in the engine; its namespace defaults to the cookie's name.
async fn served(engine: &Engine, cookie_name: &'static str, namespace: Option<&'static str>) -> String {
    type Session = SessionData<Counter>;
    let builder = SessionLayer::<Counter>::builder().store(connect(&engine.url).await).cookie_name(cookie_name);
    let builder = builder.secure(false).store_timeout(PATIENCE).middleware(standard::lazy_session_middleware);
    let builder = match namespace {
        Some(namespace) => builder.namespace(namespace),
        None => builder,
    };
    let router = Router::new()
        .route("/", axum::routing::get(async |session: Session| session.count.to_string()))
        .route("/add", axum::routing::post(async |session: Session| session.update(|counter| counter.count += 1).await))
        .route("/logout", axum::routing::post(async |session: Session| session.destroy().await));
    serve_router(router.layer(builder.build().unwrap())).await
}

/// A client of a layer that has the id of another one's session.
async fn with_the_id_of(client: &Client, address: &str, cookie_name: &str) -> Client {
    let mut other = Client::to(address).await;
    other.cookie = Some(format!("{cookie_name}={}", client.id()));
    other
}

/// All but the layout that is shared with the FastAPI system, which knows no namespaces.
fn engines() -> Vec<Engine> {
    vec![engine::redis(), engine::redis_cluster(), engine::sqlite(), engine::postgres(), engine::mariadb()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_one_layer_is_unknown_to_another_in_one_store() {
    for engine in engines() {
        let mut admin = Client::to(&served(&engine, "admin", None).await).await;
        assert_eq!(admin.post("/add").await.status, 200, "{engine:?}");
        for (cookie_name, namespace) in [("shop", None), ("admin", Some("shop"))] {
            let shop = served(&engine, cookie_name, namespace).await;
            let mut shop = with_the_id_of(&admin, &shop, cookie_name).await;
            assert_eq!(shop.get("/").await.body, "0", "{engine:?}");
            assert_eq!(shop.post("/logout").await.status, 200, "{engine:?}");
            assert_eq!(shop.post("/add").await.status, 200, "{engine:?}");
            assert_ne!(shop.id(), admin.id(), "{engine:?}: it has a session of its own");
        }
        assert_eq!(admin.get("/").await.body, "1", "{engine:?}: nothing else has touched it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_of_one_namespace_share_their_sessions() {
    for engine in engines() {
        let mut one = Client::to(&served(&engine, "one", Some("shared")).await).await;
        assert_eq!(one.post("/add").await.status, 200, "{engine:?}");
        for (cookie_name, namespace) in [("two", Some("shared")), ("shared", None)] {
            let other = served(&engine, cookie_name, namespace).await;
            let mut other = with_the_id_of(&one, &other, cookie_name).await;
            assert_eq!(other.post("/add").await.status, 200, "{engine:?}");
            assert_eq!(other.id(), one.id(), "{engine:?}");
        }
        assert_eq!(one.get("/").await.body, "3", "{engine:?}");
    }
}
