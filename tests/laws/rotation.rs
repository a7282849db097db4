//! A rotation has one commit point, and an old id is never sent again.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use session_runtime::store::MemoryStore;
use session_runtime::{SessionData, SessionError};
use tower::ServiceExt;

use crate::support::Client;
use crate::support::visit::{Pause, Visit, client, lazy, router, router_with, standard};
use crate::support::yielding::Yielding;

#[tokio::test]
async fn after_a_rotation_only_the_new_id_works() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        let old = client.clone();
        let answer = client.post("/rotate").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_ne!(client.cookie, old.cookie);
        assert_eq!(client.get("/read").await.body, " 1");
        assert_eq!(store.store.len(), 1);
        // The old id is that of a parallel request for now: anonymous, nothing created, no cookie.
        let answer = old.clone().get("/read").await;
        assert_ne!(answer.body, " 1");
        assert_eq!(answer.set_cookie(), None);
        assert_eq!(store.store.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_just_rotated_id_is_an_unknown_one_after_30_seconds() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        let old = client.clone();
        client.post("/rotate").await;
        let answer = old.clone().get("/untouched").await;
        assert_eq!((answer.status, answer.set_cookie()), (StatusCode::OK, None));
        assert_eq!(store.store.len(), 1);

        tokio::time::advance(Duration::from_secs(30)).await;
        let answer = old.clone().post("/add").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.id().is_some(), "after 30 s it is an unknown id like any other");
        assert_eq!(store.store.len(), 2);
    }
}

/// The document's middleware, transcribed, creates nothing for a just-rotated id either.
#[tokio::test]
async fn a_middleware_like_the_documents_creates_nothing_for_a_just_rotated_id() {
    use axum::extract::Request;
    use axum::middleware::Next;
    use axum::response::Response;
    use session_runtime::{Session, SessionRequestExt};

    async fn middleware(session_system: Session<Visit>, mut request: Request, next: Next) -> Result<Response, SessionError> {
        let mut session_id = None;
        session_system.fetch_session_id(&mut request).await;
        if !session_system.session_exists(&request).await? {
            let id = session_system.create_session().await?;
            request.set_session_id(id);
            session_id = Some(id);
        }
        let response = next.run(request).await;
        Ok(match session_id {
            Some(id) => session_system.add_session_id(response, &id),
            None => response,
        })
    }

    let (builder, store) = standard();
    let mut client = client(builder.middleware(middleware));
    let created = client.post("/add").await;
    assert_eq!((created.body.as_str(), created.id().is_some()), ("1", true));
    assert_eq!(client.post("/add").await.set_cookie(), None);
    let old = client.clone();
    client.post("/rotate").await;
    let old = old.cookie.unwrap();
    for cookie in [old.clone(), format!("SESSION_ID=planted; {old}"), format!("{old}; SESSION_ID=planted")] {
        let answer = client.with_cookie(&cookie).get("/untouched").await;
        assert_eq!((answer.status, answer.set_cookie()), (StatusCode::OK, None), "{cookie}");
    }
    assert_eq!(store.store.len(), 1);
}

/// A request that is slow to answer never sends the id that another has rotated away, not even with a moving `Max-Age`.
#[tokio::test(start_paused = true)]
async fn an_old_id_is_never_sent_again_by_a_slower_response() {
    for persistent in [false, true] {
        for slow_path in ["/slow/read", "/slow/add"] {
            let (builder, _) = lazy();
            let pause = Pause::default();
            let builder = builder.persistent(persistent).session_expire(1000_u64);
            let mut client = Client::of(router_with(builder, pause.clone()));
            client.post("/add").await;
            tokio::time::advance(Duration::from_secs(200)).await;
            let mut slow = client.clone();
            let slow = tokio::spawn(async move {
                if slow_path == "/slow/read" { slow.get(slow_path).await } else { slow.post(slow_path).await }
            });
            pause.arrived.notified().await;
            assert!(client.post("/rotate").await.id().is_some());
            pause.go_on.notify_one();
            assert_eq!(slow.await.unwrap().set_cookie(), None, "{slow_path}, persistent: {persistent}");
            assert_eq!(client.get("/read").await.body, " 1");
        }
    }
}

/// Whatever another request is at when the session is rotated, its touch included: it creates nothing for the old id, and its
/// response does not log the user out.
#[tokio::test(start_paused = true)]
async fn a_rotation_at_any_moment_of_another_request_keeps_the_user_logged_in() {
    for lazily in [true, false] {
        for path in ["/add", "/set/x"] {
            for polls in 1.. {
                let store = Arc::new(MemoryStore::new());
                let builder = if lazily { lazy() } else { standard() }.0;
                let app = router(builder.session_expire(1000_u64).store(Yielding::sharing(Arc::clone(&store))));
                let mut client = Client::of(app.clone());
                client.post("/add").await;
                tokio::time::advance(Duration::from_secs(200)).await;
                let request = Request::post(path).header("cookie", client.cookie.clone().unwrap()).body(Body::empty());
                let mut other = pin!(app.oneshot(request.unwrap()));
                let mut context = Context::from_waker(Waker::noop());
                let done = (0..polls).any(|_| other.as_mut().poll(&mut context).is_ready());
                if done {
                    break;
                }
                assert_eq!(client.post("/rotate").await.status, StatusCode::OK);
                let other = other.await.unwrap();
                assert_eq!(other.headers().get("set-cookie"), None, "{path} after {polls} polls: {}", other.status());
                assert_eq!(store.len(), 1, "{path} after {polls} polls");
                assert!(client.get("/id").await.body.len() > 1, "{path} after {polls} polls");
            }
        }
    }
}

#[tokio::test]
async fn of_two_parallel_rotations_one_wins_and_the_other_sends_no_cookie() {
    let (builder, store) = lazy();
    let pause = Pause::default();
    let mut client = Client::of(router_with(builder, pause.clone()));
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.post("/slow/rotate").await });
    pause.arrived.notified().await;
    client.post("/rotate").await;
    pause.go_on.notify_one();
    let answer = slow.await.unwrap();
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::CONFLICT, None));
    assert_eq!(client.get("/read").await.body, " 1");
    assert_eq!(store.store.len(), 1);
}

#[tokio::test]
async fn rotating_without_a_session_answers_401_and_logging_in_creates_one() {
    let (builder, store) = lazy();
    let mut client = client(builder);
    let answer = client.post("/rotate").await;
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::UNAUTHORIZED, None));
    assert_eq!(store.store.len(), 0);
    assert!(client.post("/login/ada").await.id().is_some());
    assert_eq!(client.get("/read").await.body, "ada 0");
}

/// A session that the standard middleware creates and the handler rotates has one cookie: the last id's.
#[tokio::test]
async fn a_new_session_that_is_rotated_gets_the_last_id_only() {
    let (builder, store) = standard();
    let mut client = client(builder);
    let answer = client.post("/login/ada").await;
    assert!(answer.id().is_some());
    assert_eq!(client.get("/read").await.body, "ada 0");
    assert_eq!(store.store.len(), 1);
    let twice = axum::Router::new()
        .route(
            "/",
            post(async |session: SessionData<Visit>| -> Result<String, SessionError> {
                session.rotate_with(|visit| visit.count += 1).await?;
                session.rotate().await?;
                session.update(|visit| visit.count += 1).await?;
                Ok(session.session_id().unwrap().as_str().to_owned())
            }),
        )
        .layer(standard_layer());
    let answer = Client::of(twice).post("/").await;
    assert_eq!(answer.id().unwrap(), answer.body);
}

fn standard_layer() -> session_runtime::SessionLayer<Visit> {
    standard().0.build().unwrap()
}

#[tokio::test]
async fn a_created_session_that_is_destroyed_in_the_same_request_sends_no_cookie() {
    for (builder, store) in [lazy(), standard()] {
        let app = axum::Router::new()
            .route(
                "/",
                post(async |session: SessionData<Visit>| -> Result<(), SessionError> {
                    session.update(|visit| visit.count += 1).await?;
                    session.destroy().await
                }),
            )
            .layer(builder.build().unwrap());
        let answer = Client::of(app).post("/").await;
        assert_eq!((answer.status, answer.set_cookie()), (StatusCode::OK, None));
        assert_eq!(store.store.len(), 0);
    }
}

/// Once the response's head has left, what would need a cookie fails and stores nothing; changing and destroying work.
#[tokio::test]
async fn once_the_response_has_started_no_session_is_created_or_rotated() {
    let (builder, store) = lazy();
    let pause = Pause::default();
    let in_handler = pause.clone();
    let (results, mut received) = tokio::sync::mpsc::unbounded_channel();
    let app = axum::Router::new()
        .route("/add", post(async |session: SessionData<Visit>| crate::support::visit::add(&session).await))
        .route(
            "/late",
            post(async move |session: SessionData<Visit>| {
                tokio::spawn(async move {
                    in_handler.here().await;
                    results.send(session.rotate().await).unwrap();
                    results.send(session.rotate_with(|visit| visit.count += 1).await).unwrap();
                    results.send(session.update(|visit| visit.count += 10).await).unwrap();
                    results.send(session.destroy().await).unwrap();
                });
            }),
        )
        .layer(builder.build().unwrap());
    let mut client = Client::of(app);

    // Without a session: nothing is created.
    assert_eq!(client.post("/late").await.set_cookie(), None);
    pause.arrived.notified().await;
    store.take();
    pause.go_on.notify_one();
    assert!(matches!(received.recv().await.unwrap(), Err(SessionError::NotExists)));
    assert!(matches!(received.recv().await.unwrap(), Err(SessionError::ResponseStarted)));
    assert!(matches!(received.recv().await.unwrap(), Err(SessionError::ResponseStarted)));
    assert!(received.recv().await.unwrap().is_ok());
    assert!(store.take().is_empty());

    // With one: it is not rotated, but it is changed and destroyed.
    client.post("/add").await;
    client.post("/late").await;
    pause.arrived.notified().await;
    store.take();
    pause.go_on.notify_one();
    assert!(matches!(received.recv().await.unwrap(), Err(SessionError::ResponseStarted)));
    assert!(matches!(received.recv().await.unwrap(), Err(SessionError::ResponseStarted)));
    assert!(received.recv().await.unwrap().is_ok());
    assert!(received.recv().await.unwrap().is_ok());
    assert_eq!(store.take(), ["replace", "delete"]);
    assert_eq!(store.store.len(), 0);
}
