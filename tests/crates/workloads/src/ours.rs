//! session-runtime with its memory store: each middleware with the standard callbacks, and with a user's, registered or named.

use std::hint::black_box;

use axum::Router;
use axum::http::request::Parts;
use axum::routing::get;
use session_runtime::store::{MemoryStore, Store};
use session_runtime::{
    SessionData, SessionError, SessionLayer, SessionRequestExt, generate_session_id, session, session_id_callback, standard,
};

use crate::work::{Account, Data};

pub(crate) fn lazy(room: Room) -> Router {
    routes::<Account>().layer(session!(<Account>, middleware = standard::lazy_session_middleware, store = room.memory()))
}

pub(crate) fn standard(room: Room) -> Router {
    routes::<Account>().layer(session!(<Account>, store = room.memory()))
}

pub(crate) fn lazy_registered(room: Room) -> Router {
    routes::<Registered>().layer(session!(<Registered>, middleware = standard::lazy_session_middleware, store = room.memory()))
}

pub(crate) fn standard_registered(room: Room) -> Router {
    routes::<Registered>().layer(session!(<Registered>, store = room.memory()))
}

pub(crate) fn lazy_named(room: Room) -> Router {
    let builder = SessionLayer::<Account>::builder().middleware(standard::lazy_session_middleware).store(room.memory());
    let builder = builder.session_id_callback(cookie_or_bearer).generate_session_id_callback(hexadecimal_id);
    routes::<Account>().layer(builder.build().expect("valid options"))
}

pub(crate) fn standard_named(room: Room) -> Router {
    let builder = SessionLayer::<Account>::builder().store(room.memory());
    let builder = builder.session_id_callback(cookie_or_bearer).generate_session_id_callback(hexadecimal_id);
    routes::<Account>().layer(builder.build().expect("valid options"))
}

/// The lazy router over a store of bytes or of memory that the caller made.
pub(crate) fn lazy_over(store: impl Store<Account>) -> Router {
    routes::<Account>().layer(session!(<Account>, middleware = standard::lazy_session_middleware, store = store))
}

/// How many sessions a router's store takes.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    /// As many as by default.
    Default,
    For(usize),
}

impl Room {
    fn memory<T: Data>(self) -> MemoryStore<T> {
        match self {
            Self::Default => MemoryStore::new(),
            Self::For(sessions) => MemoryStore::bounded(sessions),
        }
    }
}

/// The same data, as a type whose callbacks are registered.
#[derive(Clone, Debug, Default)]
struct Registered(Account);

impl Data for Registered {
    fn sample() -> Self {
        Self(Account::sample())
    }

    fn count(&mut self) {
        self.0.count();
    }

    fn sum(&self) -> u64 {
        self.0.sum()
    }

    fn counted(&self) -> u32 {
        self.0.counted()
    }
}

#[session_id_callback(Registered)]
fn cookie_or_bearer(request: &Parts) -> Option<&str> {
    let header = || request.headers.get("authorization").and_then(|value| value.to_str().ok());
    request.cookie("SESSION_ID").or_else(|| header().and_then(|value| value.strip_prefix("Bearer ")))
}

#[generate_session_id(Registered)]
fn hexadecimal_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn routes<T: Data>() -> Router {
    Router::new()
        .route("/untouched", get(async || "ok"))
        .route("/read", get(read::<T>))
        .route("/write", get(write::<T>))
        .route("/new", get(new::<T>))
        .route("/rotate", get(rotate::<T>))
        .route("/counted", get(counted::<T>))
}

type Answer = Result<&'static str, SessionError>;

async fn read<T: Data>(session: SessionData<T>) -> &'static str {
    black_box(session.sum());
    "ok"
}

async fn write<T: Data>(session: SessionData<T>) -> Answer {
    black_box(session.sum());
    session.update(T::count).await?;
    Ok("ok")
}

async fn new<T: Data>(session: SessionData<T>) -> Answer {
    session.set(T::sample()).await?;
    Ok("ok")
}

async fn rotate<T: Data>(session: SessionData<T>) -> Answer {
    session.rotate_with(T::count).await?;
    Ok("ok")
}

async fn counted<T: Data>(session: SessionData<T>) -> String {
    session.counted().to_string()
}
