//! tower-sessions with its memory store.

use std::hint::black_box;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_sessions::session::Error;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::work::Account;

const KEY: &str = "account";

pub(super) fn router() -> Router {
    Router::new()
        .route("/untouched", get(async || "ok"))
        .route("/read", get(async |session: Session| answer(read(session).await)))
        .route("/write", get(async |session: Session| answer(write(session).await)))
        .route("/new", get(async |session: Session| answer(session.insert(KEY, Account::sample()).await)))
        .route("/rotate", get(async |session: Session| answer(rotate(session).await)))
        .layer(SessionManagerLayer::new(MemoryStore::default()))
}

fn answer(result: Result<(), Error>) -> Result<&'static str, StatusCode> {
    result.map(|()| "ok").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn read(session: Session) -> Result<(), Error> {
    let account: Account = session.get(KEY).await?.unwrap_or_default();
    black_box(account.sum());
    Ok(())
}

async fn write(session: Session) -> Result<(), Error> {
    let mut account: Account = session.get(KEY).await?.unwrap_or_default();
    black_box(account.sum());
    account.count();
    session.insert(KEY, account).await
}

async fn rotate(session: Session) -> Result<(), Error> {
    let mut account: Account = session.get(KEY).await?.unwrap_or_default();
    account.count();
    session.cycle_id().await?;
    session.insert(KEY, account).await
}
