//! A stream or websocket stays open for hours, and sees what becomes of its session by other requests.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Path;
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use session_runtime::{Session, SessionData, SessionError, SessionLayer};
use tower::ServiceExt as _;

use crate::support::Client;
use crate::support::visit::{Builder, Pause, Visit, add, lazy, standard};

/// What a part of the body says of each way to look: `latest`, `peek`, `get_data`.
async fn looks(session: &SessionData<Visit>, system: &Session<Visit>, parts: &Parts) -> String {
    let say = |answer: Result<Arc<Visit>, SessionError>| match answer {
        Ok(visit) => visit.count.to_string(),
        Err(SessionError::NotExists) => "gone".to_owned(),
        Err(error) => error.to_string(),
    };
    [say(session.latest().await), say(session.peek().await), say(system.get_data(parts).await)].join(" ")
}

async fn watch(session: SessionData<Visit>, system: Session<Visit>, parts: Parts) -> Response {
    let body = stream::repeat(()).then(move |()| {
        let (session, system, parts) = (session.clone(), system.clone(), parts.clone());
        async move { Ok::<_, Infallible>(Bytes::from(looks(&session, &system, &parts).await)) }
    });
    Body::from_stream(body).into_response()
}

async fn change(session: SessionData<Visit>) -> Response {
    let body = stream::repeat(()).then(move |()| {
        let session = session.clone();
        async move {
            let changed = session.update(|visit| visit.count += 1).await;
            let says = if matches!(changed, Err(SessionError::NotExists)) { "gone".to_owned() } else { format!("{changed:?}") };
            Ok::<_, Infallible>(Bytes::from(says))
        }
    });
    Body::from_stream(body).into_response()
}

fn app(builder: Builder) -> Router {
    let layer = builder.build().unwrap();
    let streams = Router::new().route("/watch", get(watch)).route("/change", get(change));
    pages(layer.clone()).merge(streams.layer(layer))
}

fn pages(layer: SessionLayer<Visit>) -> Router {
    Router::new()
        .route("/add", post(async |session: SessionData<Visit>| add(&session).await))
        .route("/rotate", post(async |session: SessionData<Visit>| session.rotate().await))
        .route("/login", post(async |session: SessionData<Visit>| session.rotate_with(|visit| visit.count = 9).await))
        .route("/logout", post(async |session: SessionData<Visit>| session.destroy().await))
        .layer(layer)
}

async fn open(app: &Router, path: &str, cookie: &str) -> BodyDataStream {
    let request = Request::get(path).header("host", "example.com").header("cookie", cookie).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert!(!response.headers().contains_key("set-cookie"));
    response.into_body().into_data_stream()
}

async fn next(body: &mut BodyDataStream) -> String {
    String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_stream_whose_session_is_rotated_or_ended_elsewhere_gets_not_exists() {
    for path in ["/rotate", "/login", "/logout"] {
        for (builder, store) in [lazy(), standard()] {
            let app = app(builder);
            let mut client = Client::of(app.clone());
            client.post("/add").await;
            let cookie = client.cookie.clone().unwrap();
            let (mut watching, mut changing) = (open(&app, "/watch", &cookie).await, open(&app, "/change", &cookie).await);
            assert_eq!(next(&mut watching).await, "1 1 1");
            client.post("/add").await;
            assert_eq!(next(&mut watching).await, "2 2 2", "what others write");
            assert_eq!(next(&mut changing).await, "Ok(())");
            assert_eq!(next(&mut watching).await, "3 3 3");
            client.post(path).await;
            for _ in 0..2 {
                assert_eq!(next(&mut watching).await, "gone gone gone", "{path}");
                assert_eq!(next(&mut changing).await, "gone", "{path}");
            }
            assert_eq!(store.store.len(), usize::from(path != "/logout"), "{path}");
        }
    }
}

/// Each keeps a session of 100 s open for 300 s, or does not.
#[tokio::test(start_paused = true)]
async fn latest_renews_the_session_and_peek_does_not() {
    async fn look(session: SessionData<Visit>, Path(how): Path<String>) -> Response {
        let body = stream::repeat(()).then(move |()| {
            let (session, how) = (session.clone(), how.clone());
            async move {
                tokio::time::sleep(Duration::from_secs(30)).await;
                let there = if how == "latest" { session.latest().await } else { session.peek().await };
                Ok::<_, Infallible>(Bytes::from(there.is_ok().to_string()))
            }
        });
        Body::from_stream(body).into_response()
    }
    for (builder, _) in [lazy(), standard()] {
        let layer = builder.session_expire(100_u32).build().unwrap();
        let app = pages(layer.clone()).merge(Router::new().route("/look/{how}", get(look)).layer(layer));
        for (how, lives) in [("latest", true), ("peek", false)] {
            let mut client = Client::of(app.clone());
            client.post("/add").await;
            let mut looking = open(&app, &format!("/look/{how}"), &client.cookie.clone().unwrap()).await;
            let mut seen = Vec::new();
            for _ in 0..10 {
                seen.push(next(&mut looking).await);
            }
            assert_eq!(seen.iter().filter(|there| *there == "true").count(), if lives { 10 } else { 3 }, "{how}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_says_when_it_was_created_how_long_it_lives_and_whether_it_is_new() {
    async fn says(session: SessionData<Visit>) -> String {
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let created = session.created_at().map(|time| seconds(SystemTime::now()) - seconds(time));
        format!("{} {created:?} {:?}", session.is_new(), session.expires_in().map(|left| left.as_secs()))
    }
    let (builder, _) = standard();
    let layer = builder.session_expire(100_u32).build().unwrap();
    let app = pages(layer.clone()).merge(Router::new().route("/says", get(says)).layer(layer));
    let mut client = Client::of(app);
    assert_eq!(client.get("/says").await.body, "true Some(0) Some(100)");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(client.get("/says").await.body, "false Some(5) Some(95)");
    client.post("/rotate").await;
    tokio::time::advance(Duration::from_secs(7)).await;
    assert_eq!(client.get("/says").await.body, "false Some(12) Some(93)");

    let (builder, _) = lazy();
    let client = Client::of(Router::new().route("/says", get(says)).layer(builder.build().unwrap()));
    assert_eq!(client.clone().get("/says").await.body, "false None None");
}

/// A long poll: it looks again before it answers.
#[tokio::test]
async fn what_was_logged_out_while_a_request_waits_is_not_the_default_data_and_not_created_again() {
    for (builder, store) in [lazy(), standard()] {
        let pause = Pause::default();
        let poll = {
            let pause = pause.clone();
            async move |session: SessionData<Visit>| {
                pause.here().await;
                let latest = session.latest().await.map(|visit| visit.count);
                let changed = session.update(|visit| visit.count += 1).await;
                format!("{latest:?} {changed:?}")
            }
        };
        let layer = builder.build().unwrap();
        let app = Router::new()
            .route("/add", post(async |session: SessionData<Visit>| add(&session).await))
            .route("/logout", post(async |session: SessionData<Visit>| session.destroy().await))
            .route("/rotate", post(async |session: SessionData<Visit>| session.rotate().await))
            .route("/poll", get(poll))
            .layer(layer);
        for (path, says) in [("/logout", "Err(NotExists) Err(NotExists)"), ("/rotate", "Err(JustRotated) Err(JustRotated)")] {
            let mut client = Client::of(app.clone());
            client.post("/add").await;
            let before = store.store.len();
            let mut polls = client.clone();
            let polling = tokio::spawn(async move { polls.get("/poll").await });
            pause.arrived.notified().await;
            client.post(path).await;
            pause.go_on.notify_one();
            let answer = polling.await.unwrap();
            assert_eq!((&*answer.body, answer.set_cookie()), (says, None), "{path}");
            assert!(store.store.len() <= before, "{path}: nothing is created");
        }
    }
}

/// A websocket that takes the session system alone, and first looks when its response has started.
#[tokio::test]
async fn a_stream_that_first_looks_late_sees_no_default_data_for_a_session_that_has_ended() {
    async fn watch(system: Session<Visit>, parts: Parts) -> Response {
        let body = stream::once(async move { Ok::<_, Infallible>(Bytes::from(format!("{:?}", system.get_data(&parts).await))) });
        Body::from_stream(body).into_response()
    }
    for path in ["/rotate", "/logout"] {
        for (builder, _) in [lazy(), standard()] {
            let layer = builder.build().unwrap();
            let app = pages(layer.clone()).merge(Router::new().route("/watch", get(watch)).layer(layer));
            let mut client = Client::of(app.clone());
            client.post("/add").await;
            let request = Request::get("/watch").header("cookie", client.cookie.clone().unwrap()).body(Body::empty()).unwrap();
            let response = app.oneshot(request).await.unwrap();
            client.post(path).await;
            let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            assert_eq!(body, "Err(NotExists)", "{path}");
        }
    }
}
