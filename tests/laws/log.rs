//! What the log says: why something failed, to the last cause, and once a second; and, to whoever looks closer, what became of a session.

use std::future::pending;
use std::time::Duration;

use axum::http::StatusCode;
use session_runtime::OnStoreError;
use session_runtime::store::{
    Change, Created, Key, Loaded, MemoryStore, NewSession, Replaced, Rotated, Rotation, Store, StoreError, Version,
};

use crate::support::log::log_everything;
use crate::support::visit::{Visit, client, lazy, standard};

fn lines(text: &str, holding: &str) -> usize {
    text.lines().filter(|line| line.contains(holding)).count()
}

#[tokio::test]
async fn an_outage_is_told_with_the_store_the_operation_and_the_last_cause() {
    let (log, _guard) = log_everything();
    let (builder, store) = lazy();
    let mut client = client(builder);
    client.post("/add").await;
    store.set_down(true);
    assert_eq!(client.get("/read").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let text = log.text();
    let line = text.lines().find(|line| line.contains("ERROR")).unwrap_or_else(|| panic!("{text}"));
    for part in ["Counting", "failed at `load`", "is down"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn many_requests_that_fail_by_one_cause_are_one_line_a_second() {
    for policy in [OnStoreError::Fail, OnStoreError::Anonymous] {
        let (log, _guard) = log_everything();
        let (builder, store) = lazy();
        let mut client = client(builder.on_store_error(policy));
        client.post("/add").await;
        store.set_down(true);
        for _ in 0..50 {
            client.get("/read").await;
        }
        let text = log.text();
        // Two, if the machine takes longer than a second for them.
        let said = lines(&text, "ERROR") + lines(&text, "WARN");
        assert!((1..5).contains(&said), "{policy:?}: {text}");
    }
}

/// Never answers a `load`.
struct Silent(MemoryStore<Visit>);

impl Store<Visit> for Silent {
    async fn create(&self, key: Key<'_>, session: NewSession<Visit>) -> Result<Created, StoreError> {
        self.0.create(key, session).await
    }

    async fn load(&self, _: Key<'_>) -> Result<Loaded<Visit>, StoreError> {
        pending().await
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<Visit>) -> Result<Replaced, StoreError> {
        self.0.replace(key, expected, change).await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.0.touch(key).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, session: Rotation<Visit>) -> Result<Rotated, StoreError> {
        self.0.rotate(old, new, session).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.0.delete(key).await
    }

    fn name(&self) -> &'static str {
        "the silent store"
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_told_with_what_it_was_asked() {
    let (log, _guard) = log_everything();
    let mut client = client(lazy().0.store(Silent(MemoryStore::new())).store_timeout(Duration::from_millis(1500)));
    client.post("/add").await;
    assert_eq!(client.get("/read").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let text = log.text();
    assert_eq!(lines(&text, "ERROR"), 1, "{text}");
    assert_eq!(lines(&text, "`the silent store` did not answer `load` within 1.5s"), 1, "{text}");
}

#[tokio::test]
async fn what_becomes_of_a_session_can_be_followed() {
    for (builder, _) in [lazy(), standard()] {
        let (log, _guard) = log_everything();
        let mut client = client(builder);
        let says = |what: &str, times: usize| {
            let text = log.text();
            assert_eq!(lines(&text, what), times, "{what}: {text}");
        };
        client.post("/add").await;
        says("a session was created", 1);
        client.post("/add").await;
        let old = client.clone();
        client.post("/rotate").await;
        says("a session has got a new id", 1);
        old.clone().get("/read").await;
        says("an id that another request has just replaced", 1);
        assert_eq!(old.clone().post("/add").await.status, StatusCode::CONFLICT);
        says("a request was refused its session", 1);
        client.post("/logout").await;
        says("a session was ended", 1);
        old.with_cookie("SESSION_ID=nobody_has_this_id").get("/read").await;
        says("an id that the store does not hold", 1);
        // A span around each call.
        for call in ["create", "load", "replace", "rotate", "delete"] {
            let text = log.text();
            assert!(text.contains(&format!("operation=\"{call}\"")), "{call}: {text}");
        }
    }
}

#[tokio::test]
async fn without_a_subscriber_for_it_nothing_is_told_of_what_goes_well() {
    let log = crate::support::log::Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut client = client(lazy().0);
    for path in ["/add", "/rotate", "/logout"] {
        client.post(path).await;
    }
    assert_eq!(log.text(), "");
}
