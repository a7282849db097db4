//! Each option of `session!` does what it says, and what is not given is the default.

use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::routing::{get, post};
use session_runtime::store::{
    Change, Created, Key, Loaded, MemoryStore, NewSession, Replaced, Rotated, Rotation, Store, StoreError, Version,
};
use session_runtime::{OnStoreError, OnUndecodable, SameSite, SessionData, SessionError, SessionLayer, session, standard};

use tower::ServiceExt as _;

use crate::support::Client;

#[derive(Clone, Default)]
struct Visit {
    pages: u32,
}

fn client(layer: SessionLayer<Visit>) -> Client {
    Client::of(router(layer))
}

fn router(layer: SessionLayer<Visit>) -> Router {
    let page = get(|session: SessionData<Visit>| async move { session.pages.to_string() });
    let add = post(|session: SessionData<Visit>| async move {
        let pages = session.update(|visit| {
            visit.pages += 1;
            visit.pages
        });
        Ok::<_, SessionError>(pages.await?.to_string())
    });
    Router::new().route("/", page).route("/add", add).layer(layer)
}

/// The cookie but for its id, as a new session gets it.
async fn cookie(layer: SessionLayer<Visit>) -> String {
    let answer = client(layer).get("/").await;
    let cookie = answer.set_cookie().expect("a cookie");
    let (name, rest) = cookie.split_once('=').expect("name=id");
    let attributes = rest.split_once(';').map_or("", |(_, attributes)| attributes);
    format!("{name};{attributes}")
}

fn sorted(cookie: &str) -> Vec<&str> {
    let mut parts: Vec<_> = cookie.split(';').map(str::trim).collect();
    parts.sort_unstable();
    parts
}

#[tokio::test]
async fn the_cookie_is_the_documents_unless_told_otherwise() {
    let default = cookie(session!(<Visit>)).await;
    assert_eq!(sorted(&default), sorted("SESSION_ID; HttpOnly; SameSite=Lax; Path=/; Secure"));
}

#[tokio::test]
async fn the_cookie_has_what_the_options_say() {
    let other = cookie(session!(
        <Visit>,
        cookie_name = "visit",
        same_site = Strict,
        secure = false,
        path = "/shop",
        domain = "example.com",
    ));
    assert_eq!(sorted(&other.await), sorted("visit; HttpOnly; SameSite=Strict; Path=/shop; Domain=example.com"));
    let embedded = cookie(session!(<Visit>, same_site = None, partitioned = true)).await;
    assert_eq!(sorted(&embedded), sorted("SESSION_ID; HttpOnly; SameSite=None; Path=/; Secure; Partitioned"));
    let persistent = cookie(session!(<Visit>, persistent = true, session_expire = 2h)).await;
    assert!(persistent.contains("Max-Age=7200"), "{persistent}");
    let capped = cookie(session!(<Visit>, persistent = true, session_expire = 7d, absolute_expire = 1h)).await;
    assert!(capped.contains("Max-Age=3600"), "{capped}");
}

#[tokio::test]
async fn every_spelling_of_a_duration_is_that_duration() {
    const HOURS: u8 = 2;
    const LIMIT: Duration = Duration::from_secs(7200);
    let layers = [
        session!(<Visit>, persistent = true, session_expire = 2h),
        session!(<Visit>, persistent = true, session_expire = 120m),
        session!(<Visit>, persistent = true, session_expire = 7200s),
        session!(<Visit>, persistent = true, session_expire = 7200),
        session!(<Visit>, persistent = true, session_expire = 1h + 60m),
        session!(<Visit>, persistent = true, session_expire = 1d / 12),
        session!(<Visit>, persistent = true, session_expire = HOURS as u64 * 1h),
        session!(<Visit>, persistent = true, session_expire = LIMIT),
        session!(<Visit>, persistent = true, session_expire = Duration::from_secs(2h)),
    ];
    for layer in layers {
        let cookie = cookie(layer).await;
        assert!(cookie.contains("Max-Age=7200"), "{cookie}");
    }
}

#[tokio::test]
async fn a_word_is_the_same_as_its_path_and_in_any_letter_case() {
    const SITE: SameSite = SameSite::Strict;
    for layer in [
        session!(<Visit>, same_site = Strict, on_store_error = Anonymous),
        session!(<Visit>, same_site = strict, on_store_error = ANONYMOUS),
        session!(<Visit>, same_site = SameSite::Strict, on_store_error = OnStoreError::Anonymous),
        session!(<Visit>, same_site = SITE, on_store_error = anonymous),
    ] {
        assert!(cookie(layer).await.contains("SameSite=Strict"));
    }
}

/// By a store with a session that another layer's type has made.
#[tokio::test]
async fn data_that_cannot_be_read_are_answered_as_on_undecodable_says() {
    for (fails, discards) in [
        (
            session!(<Visit>, store = Unreadable, on_undecodable = Fail),
            session!(<Visit>, store = Unreadable, on_undecodable = Discard),
        ),
        (session!(<Visit>, store = Unreadable), session!(<Visit>, store = Unreadable, on_undecodable = OnUndecodable::Discard)),
    ] {
        let cookie = "SESSION_ID=0123456789abcdef0123456789abcdef";
        for (layer, status) in [(fails, 500), (discards, 200)] {
            let request = Request::get("/").header("cookie", cookie).body(axum::body::Body::empty()).unwrap();
            assert_eq!(router(layer).oneshot(request).await.unwrap().status(), status);
        }
    }
}

/// Holds nothing but what cannot be read.
struct Unreadable;

impl Store<Visit> for Unreadable {
    async fn create(&self, _: Key<'_>, _: NewSession<Visit>) -> Result<Created, StoreError> {
        Ok(Created::Created(Version(1)))
    }

    async fn load(&self, _: Key<'_>) -> Result<Loaded<Visit>, StoreError> {
        Ok(Loaded::Undecodable(StoreError::data("it is of another type")))
    }

    async fn replace(&self, _: Key<'_>, _: Version, _: Change<Visit>) -> Result<Replaced, StoreError> {
        Ok(Replaced::Conflict)
    }

    async fn touch(&self, _: Key<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn rotate(&self, _: Key<'_>, _: Key<'_>, _: Rotation<Visit>) -> Result<Rotated, StoreError> {
        Ok(Rotated::Conflict)
    }

    async fn delete(&self, _: Key<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }
}

#[tokio::test]
async fn new_sessions_start_with_the_default_data() {
    assert_eq!(client(session!(<Visit>)).get("/").await.body, "0");
    assert_eq!(client(session!(<Visit>, default_data = Visit { pages: 7 })).get("/").await.body, "7");
}

#[tokio::test]
async fn a_data_type_without_a_default_takes_default_data() {
    #[derive(Clone)]
    struct Named(&'static str);

    let name = get(|session: SessionData<Named>| async move { session.0 });
    let app = Router::new().route("/", name).layer(session!(<Named>, default_data = Named("visitor")));
    assert_eq!(Client::of(app).get("/").await.body, "visitor");
}

#[tokio::test]
async fn the_store_is_the_one_given_and_may_be_awaited() {
    async fn connect(store: &MemoryStore<Visit>) -> Result<MemoryStore<Visit>, SessionError> {
        Ok(store.clone())
    }
    async fn layer(store: &MemoryStore<Visit>) -> Result<SessionLayer<Visit>, SessionError> {
        Ok(session!(<Visit>, store = connect(store).await?, middleware = standard::lazy_session_middleware))
    }
    let store = MemoryStore::new();
    let mut client = client(layer(&store).await.unwrap());
    client.get("/").await;
    assert_eq!(store.len(), 0);
    client.post("/add").await;
    assert_eq!(store.len(), 1);
}

#[tokio::test]
async fn values_are_evaluated_in_the_order_they_are_written() {
    let order = std::cell::RefCell::new(Vec::new());
    let note = |name| order.borrow_mut().push(name);
    let layer = session!(
        <Visit>,
        store = { note("store"); MemoryStore::new() },
        default_data = { note("default_data"); Visit::default() },
        middleware = { note("middleware"); standard::session_middleware },
    );
    assert_eq!(client(layer).get("/").await.body, "0");
    assert_eq!(*order.borrow(), ["store", "default_data", "middleware"]);
}
