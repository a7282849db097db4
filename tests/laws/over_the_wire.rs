//! A write is done when it says so: over real sockets, with handlers that fail, panic, stream, upgrade, and clients that hang up.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{SinkExt, StreamExt, stream};
use session_runtime::{Session, SessionData, SessionError};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::visit::{Pause, Visit, add, lazy, standard};
use crate::support::wire::exchange;

type Data = SessionData<Visit>;

async fn add_and_fail(session: Data) -> Result<Response, SessionError> {
    add(&session).await?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn add_and_panic(session: Data) {
    add(&session).await.unwrap();
    panic!("as the test wants");
}

/// Adds one before the response starts and one with each of three parts of its body.
async fn add_and_stream(session: Data) -> Result<Response, SessionError> {
    add(&session).await?;
    let parts = stream::iter(0..3).then(move |_| {
        let session = session.clone();
        async move { Ok::<_, Infallible>(Bytes::from(add(&session).await.unwrap_or_else(|error| error.to_string()) + "\n")) }
    });
    Ok(Body::from_stream(parts).into_response())
}

async fn add_and_send_events(session: Data) -> Sse<impl stream::Stream<Item = Result<Event, Infallible>>> {
    Sse::new(stream::iter(0..3).then(move |_| {
        let session = session.clone();
        async move { Ok(Event::default().data(add(&session).await.unwrap_or_else(|error| error.to_string()))) }
    }))
}

/// Answers `add` with the new count, `read` with what the store holds, `logout` by ending the session.
async fn talk(upgrade: WebSocketUpgrade, system: Session<Visit>, session: Data, parts: Parts) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let answer = match text.as_str() {
                "add" => add(&session).await.unwrap_or_else(|error| error.to_string()),
                "read" => match system.get_data(&parts).await {
                    Ok(visit) => visit.count.to_string(),
                    Err(error) => error.to_string(),
                },
                "logout" => format!("{:?}", session.destroy().await),
                "rotate" => session.rotate().await.unwrap_err().to_string(),
                _ => "what?".to_owned(),
            };
            if socket.send(Message::text(answer)).await.is_err() {
                return;
            }
        }
    })
}

async fn serve(builder: crate::support::visit::Builder, pause: Pause) -> String {
    let app = Router::new()
        .route("/read", get(async |session: Data| session.count.to_string()))
        .route("/add", post(async |session: Data| add(&session).await))
        .route("/fail", post(add_and_fail))
        .route("/panic", post(add_and_panic))
        .route("/stream", get(add_and_stream))
        .route("/events", get(add_and_send_events))
        .route("/talk", get(talk))
        .route(
            "/add-and-wait",
            post(async move |session: Data| {
                add(&session).await.unwrap();
                pause.here().await;
            }),
        )
        .layer(builder.build().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn first_cookie(address: &str) -> String {
    let answer = exchange(address, "POST", "/add", "").await;
    let line = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    line.split(';').next().unwrap().to_owned()
}

async fn count(address: &str, cookie: &str) -> u64 {
    exchange(address, "GET", "/read", cookie).await.lines().last().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_was_written_stays_when_the_handler_fails_or_panics() {
    for (builder, _) in [lazy(), standard()] {
        let address = serve(builder, Pause::default()).await;
        let cookie = first_cookie(&address).await;
        assert!(exchange(&address, "POST", "/fail", &cookie).await.starts_with("HTTP/1.1 500"));
        assert_eq!(count(&address, &cookie).await, 2);
        assert_eq!(exchange(&address, "POST", "/panic", &cookie).await, "");
        assert_eq!(count(&address, &cookie).await, 3);
    }
}

#[tokio::test]
async fn what_was_written_stays_when_the_client_hangs_up() {
    for (builder, _) in [lazy(), standard()] {
        let pause = Pause::default();
        let address = serve(builder, pause.clone()).await;
        let cookie = first_cookie(&address).await;
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let request = format!("POST /add-and-wait HTTP/1.1\r\nhost: example.com\r\ncookie: {cookie}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        pause.arrived.notified().await;
        drop(socket);
        assert_eq!(count(&address, &cookie).await, 2);
    }
}

#[tokio::test]
async fn a_streamed_body_changes_the_session_after_the_head_has_left() {
    for path in ["/stream", "/events"] {
        let (builder, _) = lazy();
        let address = serve(builder, Pause::default()).await;
        let cookie = first_cookie(&address).await;
        let answer = exchange(&address, "GET", path, &cookie).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("set-cookie"), "{answer}");
        let added = if path == "/stream" { 4 } else { 3 };
        assert_eq!(count(&address, &cookie).await, 1 + added);
    }
}

/// Without a session the first change in the handler makes the cookie; a stream alone cannot create one any more.
#[tokio::test]
async fn a_stream_cannot_create_a_session() {
    let (builder, store) = lazy();
    let address = serve(builder, Pause::default()).await;
    let answer = exchange(&address, "GET", "/events", "").await;
    assert!(answer.contains("the response has started"), "{answer}");
    assert!(!answer.contains("set-cookie"));
    assert!(store.store.is_empty());
    let answer = exchange(&address, "GET", "/stream", "").await;
    assert!(answer.contains("set-cookie"), "{answer}");
    assert!(answer.contains("\n4\n"), "{answer}");
}

#[tokio::test]
async fn a_websocket_changes_reads_and_ends_the_session() {
    let (builder, store) = lazy();
    let address = serve(builder, Pause::default()).await;
    let cookie = first_cookie(&address).await;
    let mut request = format!("ws://{address}/talk").into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut say = async |text: &str| {
        socket.send(text.into()).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(5), socket.next()).await.unwrap();
        answer.unwrap().unwrap().into_text().unwrap().to_string()
    };
    assert_eq!(say("add").await, "2");
    exchange(&address, "POST", "/add", &cookie).await;
    assert_eq!(say("read").await, "3", "it sees what others wrote meanwhile");
    assert_eq!(say("add").await, "4");
    assert!(say("rotate").await.contains("the response has started"));
    assert_eq!(say("logout").await, "Ok(())");
    assert!(say("add").await.contains("there is no session"));
    assert!(say("read").await.contains("there is no session"));
    assert!(store.store.is_empty());
}

/// The user logs out elsewhere while the websocket is open.
#[tokio::test]
async fn a_websocket_does_not_bring_a_session_back() {
    let (builder, store) = lazy();
    let address = serve(builder, Pause::default()).await;
    let cookie = first_cookie(&address).await;
    let mut request = format!("ws://{address}/talk").into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let (mut other, _) = tokio_tungstenite::connect_async(request.clone()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    other.send("logout".into()).await.unwrap();
    other.next().await.unwrap().unwrap();
    socket.send("add".into()).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(answer.contains("there is no session"), "{answer}");
    assert!(store.store.is_empty());
}
