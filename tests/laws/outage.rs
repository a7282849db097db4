//! A store that is down or slow: a bounded wait, then 503, and never an empty session saved over a real one.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use session_runtime::OnStoreError;
use session_runtime::store::MemoryStore;
use tokio::time::Instant;

use crate::support::counting::Counting;
use crate::support::visit::{Builder, Visit, client, lazy, standard};
use crate::support::yielding::Yielding;

#[tokio::test]
async fn a_store_that_is_down_answers_503_and_the_session_is_there_afterwards() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        store.set_down(true);
        for path in ["/add", "/rotate", "/logout", "/set/x", "/login/x"] {
            let answer = client.post(path).await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
        }
        assert_eq!(client.get("/read").await.status, StatusCode::SERVICE_UNAVAILABLE);
        store.set_down(false);
        assert_eq!(client.get("/read").await.body, " 1");
    }
}

/// The same over a store that may wait, as one that falls silent does.
fn over(builder: Builder) -> (Builder, Counting<Yielding<MemoryStore<Visit>>>) {
    let store = Counting::new(Yielding::new(MemoryStore::new()));
    (builder.store(store.clone()), store)
}

/// Tokio's clock counts in milliseconds.
#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_costs_the_timeout_and_no_more() {
    for (builder, store) in [over(lazy().0), over(standard().0)] {
        let mut client = client(builder.store_timeout(Duration::from_millis(100)));
        client.post("/add").await;
        store.set_silent(true);
        for (method, path) in
            [(Method::GET, "/read"), (Method::POST, "/add"), (Method::POST, "/rotate"), (Method::POST, "/logout")]
        {
            let start = Instant::now();
            let answer = client.send_as_it_is(method, path).await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
            assert!((100..=101).contains(&start.elapsed().as_millis()), "{path}: {:?}", start.elapsed());
        }
        store.set_silent(false);
        assert_eq!(client.get("/read").await.body, " 1");
    }
}

#[tokio::test]
async fn requests_that_need_no_session_are_served_while_the_store_is_down() {
    let (builder, store) = lazy();
    let mut client = client(builder);
    client.post("/add").await;
    store.set_down(true);
    assert_eq!(client.get("/untouched").await.status, StatusCode::OK);
    // Without an id there is nothing to ask the store.
    client.cookie = None;
    assert_eq!(client.get("/read").await.body, " 0");
}

#[tokio::test]
async fn anonymous_lets_the_request_go_on_and_saves_nothing_over_the_session() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder.on_store_error(OnStoreError::Anonymous));
        client.post("/add").await;
        store.set_down(true);
        assert_eq!(client.get("/untouched").await.status, StatusCode::OK);
        let read = client.get("/read").await;
        assert_eq!((read.status, read.body.as_str(), read.set_cookie()), (StatusCode::OK, " 0", None));
        for path in ["/add", "/set/x", "/rotate", "/login/x", "/logout"] {
            let answer = client.post(path).await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
        }
        store.set_down(false);
        assert_eq!(client.get("/read").await.body, " 1");
        assert_eq!(store.store.len(), 1);
    }
}

/// Also one that comes without a session, for which the standard middleware would create one.
#[tokio::test]
async fn anonymous_lets_new_visitors_in_too() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder.on_store_error(OnStoreError::Anonymous));
        store.set_down(true);
        for (path, body) in [("/untouched", "untouched"), ("/read", " 0")] {
            let answer = client.get(path).await;
            assert_eq!((answer.status, answer.body.as_str(), answer.set_cookie()), (StatusCode::OK, body, None));
        }
        for path in ["/add", "/set/x", "/login/x"] {
            let answer = client.post(path).await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
        }
        store.set_down(false);
        assert_eq!(client.post("/add").await.body, "1");
        assert_eq!(store.store.len(), 1);
    }
}

/// A handler that read the session before the store went down does not save what it read over what is there.
#[tokio::test]
async fn an_outage_between_read_and_change_changes_nothing() {
    let (builder, store) = lazy();
    let pause = crate::support::visit::Pause::default();
    let mut client = crate::support::Client::of(crate::support::visit::router_with(builder, pause.clone()));
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.post("/slow/add").await.status });
    pause.arrived.notified().await;
    store.set_down(true);
    pause.go_on.notify_one();
    assert_eq!(slow.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    store.set_down(false);
    assert_eq!(client.get("/read").await.body, " 1");
}

#[tokio::test]
async fn option_is_none_without_a_session_and_503_with_a_store_error() {
    use crate::support::visit::Visit;
    use axum::Router;
    use axum::routing::get;
    use session_runtime::{SessionData, SessionError};

    for (builder, store) in [lazy(), standard()] {
        let lazy = store.take().is_empty();
        let app = Router::new()
            .route("/option", get(async |session: Option<SessionData<Visit>>| format!("{:?}", session.map(|s| s.count))))
            .route(
                "/result",
                get(async |session: Result<SessionData<Visit>, SessionError>| match session {
                    Ok(session) => session.count.to_string(),
                    Err(error) => error.to_string(),
                }),
            )
            .layer(builder.build().unwrap());
        assert!(lazy);
        let mut client = crate::support::Client::of(app);
        let first = client.get("/option").await;
        assert!(first.body == "None" || (first.body == "Some(0)" && first.id().is_some()), "{}", first.body);
        client.cookie = Some("SESSION_ID=somethingsomethingsomething".into());
        store.set_down(true);
        assert_eq!(client.get("/option").await.status, StatusCode::SERVICE_UNAVAILABLE);
        let answer = client.get("/result").await;
        assert!(answer.body.contains("cannot be reached"), "{}", answer.body);
    }
}
