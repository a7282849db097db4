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

/// The guide's way: the sessions of before stay, and get the cookie of the new name with their next new id.
#[tokio::test]
async fn a_cookie_can_be_renamed_and_the_sessions_be_kept() {
    use axum::extract::Request;
    use axum::http::{HeaderValue, header};
    use axum::middleware::{Next, from_fn};
    use axum::response::Response;
    use session_runtime::SessionRequestExt as _;

    async fn old_cookie(mut request: Request, next: Next) -> Response {
        if request.cookie("new").is_none()
            && let Some(id) = request.cookie("old")
            && let Ok(cookie) = HeaderValue::try_from(format!("new={id}"))
        {
            request.headers_mut().append(header::COOKIE, cookie);
        }
        next.run(request).await
    }

    let store = store();
    let mut before = Client::of(served(&store, "old", None));
    before.post("/login/ada").await;
    let old = before.cookie.clone().unwrap();
    let mut after = Client::of(served(&store, "new", Some("old")).layer(from_fn(old_cookie))).with_cookie(old.clone());
    assert_eq!(after.get("/read").await.body, "ada 0");
    let answer = after.post("/rotate").await;
    let new = answer.set_cookie().unwrap().split(';').next().unwrap().to_owned();
    assert!(new.starts_with("new="));
    let mut both = after.with_cookie(format!("{old}; {new}"));
    assert_eq!(both.get("/read").await.body, "ada 0");
    assert_eq!(both.post("/logout").await.status, StatusCode::OK);
    assert_eq!(after.with_cookie(old).get("/read").await.body, " 0");
}
