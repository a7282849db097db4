//! A session whose data cannot be read, since a program with another data type has written it.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use session_runtime::{OnUndecodable, Session, SessionData, SessionError, SessionRequestExt, session_middleware};

use crate::support::Client;
use crate::support::visit::{Builder, Pause, Visit, add, lazy, standard};

/// Logs out without reading the session.
async fn log_out(system: Session<Visit>, request: Request) -> Result<(), SessionError> {
    system.destroy(&request).await
}

fn pages(builder: Builder) -> Router {
    Router::new()
        .route("/untouched", get(async || "untouched"))
        .route("/read", get(async |session: SessionData<Visit>| session.count.to_string()))
        .route("/add", post(async |session: SessionData<Visit>| add(&session).await))
        .route("/login", post(async |session: SessionData<Visit>| session.rotate_with(|visit| visit.count = 10).await))
        .route("/logout", post(log_out))
        .route("/logout-by-data", post(async |session: SessionData<Visit>| session.destroy().await))
        .layer(builder.build().unwrap())
}

/// The document's middleware, by hand.
#[session_middleware]
async fn by_hand(system: Session<Visit>, mut request: Request, next: Next) -> Result<Response, SessionError> {
    system.fetch_session_id(&mut request).await;
    if !matches!(system.session_exists(&request).await, Ok(true) | Err(SessionError::Data(_))) {
        let id = system.create_session().await?;
        request.set_session_id(id);
        return Ok(system.add_session_id(next.run(request).await, &id));
    }
    Ok(next.run(request).await)
}

#[tokio::test]
async fn logging_out_needs_not_read_it_and_leaves_nothing_behind() {
    for on_undecodable in [OnUndecodable::Fail, OnUndecodable::Discard] {
        for (builder, store) in [lazy(), standard()] {
            let mut client = Client::of(pages(builder.on_undecodable(on_undecodable)));
            client.post("/add").await;
            store.set_unreadable(true);
            let answer = client.post("/logout").await;
            assert_eq!(answer.status, StatusCode::OK, "{on_undecodable:?}: {}", answer.body);
            assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")), "{on_undecodable:?} {answer:?}");
            assert_eq!(store.store.len(), 0, "{on_undecodable:?}");
        }
    }
}

#[tokio::test]
async fn a_middleware_of_ones_own_can_let_the_logout_through() {
    for second in ["", "; SESSION_ID=another"] {
        let (builder, store) = standard();
        let mut client = Client::of(pages(builder.middleware(by_hand)));
        client.post("/add").await;
        store.set_unreadable(true);
        let mut client = client.with_cookie(format!("{}{second}", client.cookie.clone().unwrap()));
        let answer = client.post("/logout").await;
        assert_eq!((answer.status, store.store.len()), (StatusCode::OK, 0), "{second}: {}", answer.body);
    }
}

#[tokio::test]
async fn with_fail_all_that_reads_it_answers_500_and_the_rest_goes_on() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = Client::of(pages(builder));
        client.post("/add").await;
        store.set_unreadable(true);
        assert_eq!(client.get("/untouched").await.status, StatusCode::OK);
        for path in ["/add", "/login", "/logout-by-data"] {
            let answer = client.post(path).await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::INTERNAL_SERVER_ERROR, None), "{path}");
        }
        store.set_unreadable(false);
        assert_eq!(client.get("/read").await.body, "1", "it is still there");
    }
}

#[tokio::test]
async fn with_discard_a_login_or_a_logout_ends_it_also_where_a_new_session_was_created_before() {
    for path in ["/login", "/logout", "/logout-by-data"] {
        for (builder, store) in [lazy(), standard()] {
            let mut client = Client::of(pages(builder.on_undecodable(OnUndecodable::Discard)));
            client.post("/add").await;
            let old = client.clone();
            store.set_unreadable(true);
            assert_eq!(client.post(path).await.status, StatusCode::OK, "{path}");
            store.set_unreadable(false);
            assert_eq!(old.clone().get("/read").await.body, "0", "{path}: an older program must not find it");
        }
    }
}

#[tokio::test]
async fn with_discard_what_cannot_be_read_is_left_as_it_is_by_all_the_rest() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = Client::of(pages(builder.on_undecodable(OnUndecodable::Discard)));
        client.post("/add").await;
        let old = client.clone();
        store.set_unreadable(true);
        assert_eq!(old.clone().get("/read").await.body, "0");
        assert_eq!(old.clone().post("/add").await.body, "1");
        store.set_unreadable(false);
        assert_eq!(old.clone().get("/read").await.body, "1");
    }
}

#[tokio::test]
async fn one_that_cannot_be_read_any_more_in_the_middle_of_a_request_is_ended_by_its_logout_too() {
    let pause = Pause::default();
    let (builder, store) = lazy();
    let handler = {
        let pause = pause.clone();
        async move |session: SessionData<Visit>| {
            pause.here().await;
            let latest = session.latest().await.map(|visit| visit.count);
            assert!(matches!(latest, Err(SessionError::NotExists)), "{latest:?}");
            session.destroy().await
        }
    };
    let layer = builder.on_undecodable(OnUndecodable::Discard).build().unwrap();
    let app = Router::new()
        .route("/add", post(async |session: SessionData<Visit>| add(&session).await))
        .route("/logout", post(handler))
        .layer(layer);
    let mut client = Client::of(app);
    client.post("/add").await;
    let logging_out = tokio::spawn({
        let mut client = client.clone();
        async move { client.post("/logout").await }
    });
    pause.arrived.notified().await;
    store.set_unreadable(true);
    pause.go_on.notify_one();
    let answer = logging_out.await.unwrap();
    assert_eq!((answer.status, store.store.len()), (StatusCode::OK, 0));
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")));
}
