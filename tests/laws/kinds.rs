//! A session is of its kind: an id of one layer is unknown to another, also in one store.

use axum::Router;
use axum::http::StatusCode;
use session_runtime::store::{AnyStore, MemoryStore};
use session_runtime::{SessionLayer, standard};

use crate::support::Client;
use crate::support::visit::{Visit, router};

/// A router with its sessions in `store`; the namespace defaults to the cookie's name.
fn served(store: &AnyStore<Visit>, cookie_name: &'static str, namespace: Option<&'static str>) -> Router {
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(store.clone());
    let builder = builder.cookie_name(cookie_name).middleware(standard::lazy_session_middleware);
    router(match namespace {
        Some(namespace) => builder.namespace(namespace),
        None => builder,
    })
}

fn store() -> AnyStore<Visit> {
    AnyStore::new(MemoryStore::new())
}

#[tokio::test]
async fn an_id_of_one_layer_is_unknown_to_another_in_one_store() {
    let store = store();
    let mut admin = Client::of(served(&store, "admin", None));
    let id = admin.post("/login/ada").await.id().unwrap().to_owned();
    for (cookie_name, namespace) in [("shop", None), ("admin", Some("shop")), ("SESSION_ID", Some("admins"))] {
        let mut shop = Client::of(served(&store, cookie_name, namespace)).with_cookie(format!("{cookie_name}={id}"));
        assert_eq!(shop.get("/read").await.body, " 0", "{cookie_name} {namespace:?}");
        assert_eq!(shop.post("/logout").await.status, StatusCode::OK);
        let answer = shop.post("/add").await;
        assert_ne!(answer.id().expect("a session of its own"), id);
    }
    assert_eq!(admin.get("/read").await.body, "ada 0", "nothing else has touched it");
}

#[tokio::test]
async fn layers_of_one_namespace_share_their_sessions() {
    let store = store();
    let mut one = Client::of(served(&store, "one", Some("shared")));
    let id = one.post("/login/ada").await.id().unwrap().to_owned();
    for (count, (cookie_name, namespace)) in [("two", Some("shared")), ("shared", None)].into_iter().enumerate() {
        let mut other = Client::of(served(&store, cookie_name, namespace)).with_cookie(format!("{cookie_name}={id}"));
        assert_eq!(other.get("/read").await.body, format!("ada {count}"));
        assert_eq!(other.post("/add").await.status, StatusCode::OK);
    }
    assert_eq!(one.get("/read").await.body, "ada 2");
}
