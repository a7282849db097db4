//! "Remember me": the limits of one session are kept with it, and outlive the program.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use session_runtime::{Lifetime, SessionData, SessionLayer, standard};

use crate::app::{Counter, PATIENCE, connect, serve_router};
use crate::engine;
use crate::wire::Client;

type Session = SessionData<Counter>;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// As a program that starts anew: a store and a layer of its own, whose sessions live for an hour unused, and for a day at most.
async fn start(url: &str) -> String {
    let layer = SessionLayer::<Counter>::builder()
        .store(connect(url).await)
        .secure(false)
        .session_expire(HOUR)
        .absolute_expire(DAY)
        .store_timeout(PATIENCE)
        .middleware(standard::lazy_session_middleware)
        .build()
        .unwrap();
    let router = Router::new()
        .route("/", get(async |session: Session| session.count.to_string()))
        .route("/add", post(async |session: Session| session.update(|counter| counter.count += 1).await))
        .route("/rotate", post(async |session: Session| session.rotate().await))
        .route("/remember", post(async |session: Session| session.set_lifetime(Lifetime::idle(100 * DAY).persistent(true)).await))
        .route("/left", get(async |session: Session| session.expires_in().unwrap().as_secs().to_string()))
        .layer(layer);
    serve_router(router).await
}

async fn done(client: &mut Client, path: &str) {
    let answer = client.post(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remembered_session_outlives_the_layers_limits_its_changes_and_a_start_anew() {
    for engine in engine::all() {
        let address = start(&engine.url).await;
        let mut short = Client::to(&address).await;
        done(&mut short, "/add").await;
        assert_eq!(short.max_age, None, "{engine:?}");
        let mut long = Client::to(&address).await;
        done(&mut long, "/add").await;
        done(&mut long, "/remember").await;
        let limit = (100 * DAY).as_secs();
        assert_eq!(long.max_age, Some(limit), "{engine:?}");
        for _ in 0..10 {
            done(&mut long, "/add").await;
        }
        done(&mut long, "/rotate").await;
        assert_eq!(long.max_age, Some(limit), "{engine:?}");

        let address = start(&engine.url).await;
        let (mut long, mut short) = (long.sibling(&address).await, short.sibling(&address).await);
        engine.let_pass(long.id(), 60 * DAY).await;
        // What the store says is what the cookie says.
        let left: u64 = long.get("/left").await.body.parse().unwrap();
        assert!((limit - 60..=limit).contains(&left), "{engine:?}: {left}");
        assert_eq!(long.max_age, Some(limit), "{engine:?}");
        assert_eq!(long.get("/").await.body, "11", "{engine:?}");
        // Where each session's time passes for itself, it was not renewed either, and is still there.
        engine.let_pass(short.id(), HOUR).await;
        assert_eq!(short.get("/").await.body, "0", "{engine:?}");
        engine.let_pass(long.id(), 99 * DAY).await;
        assert_eq!(long.get("/").await.body, "11", "{engine:?}");
        engine.let_pass(long.id(), 100 * DAY).await;
        assert_eq!(long.get("/").await.body, "0", "{engine:?}");
    }
}
