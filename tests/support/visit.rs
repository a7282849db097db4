//! The session that most tests use, and a router whose handlers do one thing each.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{Given, SessionData, SessionError, SessionLayer, SessionLayerBuilder, standard};
use tokio::sync::Notify;

use super::Client;
use super::counting::Counting;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    pub name: String,
    pub count: u64,
}

pub type Store = Counting<MemoryStore<Visit>>;
pub type Builder = SessionLayerBuilder<Visit, Given<Visit>>;

/// A layer under the lazy middleware, and its store.
pub fn lazy() -> (Builder, Store) {
    let (builder, store) = standard();
    (builder.middleware(standard::lazy_session_middleware), store)
}

/// A layer under the standard middleware, and its store.
pub fn standard() -> (Builder, Store) {
    let store = Counting::new(MemoryStore::new());
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(store.clone());
    (builder, store)
}

/// Where a handler waits: it says that it is there, and goes on when it is let.
#[derive(Clone, Default)]
pub struct Pause {
    pub arrived: Arc<Notify>,
    pub go_on: Arc<Notify>,
}

impl Pause {
    pub async fn here(&self) {
        self.arrived.notify_one();
        self.go_on.notified().await;
    }
}

type Session = SessionData<Visit>;
type Answer<R> = Result<R, SessionError>;

/// The router: each handler does what its path says.
pub fn router(builder: Builder) -> Router {
    router_with(builder, Pause::default())
}

/// The handlers under `/slow` extract the session, wait, and then do what the rest of their path says.
pub fn router_with(builder: Builder, pause: Pause) -> Router {
    Router::new()
        .route("/untouched", get(async || "untouched"))
        .route("/read", get(read))
        .route("/id", get(async |session: Session| session.session_id().map(|id| id.as_str().to_owned()).unwrap_or_default()))
        .route("/add", post(async |session: Session| add(&session).await))
        .route("/name/{name}", post(rename))
        .route("/set/{name}", post(set))
        .route("/login/{name}", post(login))
        .route("/rotate", post(async |session: Session| session.rotate().await))
        .route("/logout", post(async |session: Session| session.destroy().await))
        .route("/slow/read", get(slow_read))
        .route("/slow/add", post(slow_add))
        .route("/slow/set", post(slow_set))
        .route("/slow/rotate", post(slow_rotate))
        .route("/slow/login", post(slow_login))
        .route("/slow/logout", post(slow_logout))
        .with_state(pause)
        .layer(builder.build().unwrap())
}

pub fn client(builder: Builder) -> Client {
    Client::of(router(builder))
}

pub async fn add(session: &Session) -> Answer<String> {
    session
        .update(|visit| {
            visit.count += 1;
            visit.count.to_string()
        })
        .await
}

async fn read(session: Session) -> String {
    format!("{} {}", session.name, session.count)
}

async fn rename(session: Session, Path(name): Path<String>) -> Answer<()> {
    session.update(|visit| visit.name.clone_from(&name)).await
}

async fn set(session: Session, Path(name): Path<String>) -> Answer<()> {
    session.set(Visit { name, count: 0 }).await
}

async fn login(session: Session, Path(name): Path<String>) -> Answer<()> {
    session.rotate_with(|visit| visit.name.clone_from(&name)).await
}

async fn slow_read(State(pause): State<Pause>, session: Session) -> String {
    pause.here().await;
    read(session).await
}

async fn slow_add(State(pause): State<Pause>, session: Session) -> Answer<String> {
    pause.here().await;
    add(&session).await
}

async fn slow_set(State(pause): State<Pause>, session: Session) -> Answer<()> {
    pause.here().await;
    session.set(Visit { name: "set".into(), count: 100 }).await
}

async fn slow_rotate(State(pause): State<Pause>, session: Session) -> Answer<()> {
    pause.here().await;
    session.rotate().await
}

async fn slow_login(State(pause): State<Pause>, session: Session) -> Answer<()> {
    pause.here().await;
    session.rotate_with(|visit| visit.name = "slow".into()).await
}

async fn slow_logout(State(pause): State<Pause>, session: Session) -> Answer<StatusCode> {
    pause.here().await;
    session.destroy().await.map(|()| StatusCode::OK)
}
