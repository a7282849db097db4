//! session-runtime.

use std::hint::black_box;

use axum::Router;
use axum::routing::get;
use session_runtime::{SessionData, SessionError, SessionLayer, standard};

use crate::work::Account;

pub(super) fn lazy() -> Router {
    let builder = SessionLayer::<Account>::builder().middleware(standard::lazy_session_middleware);
    handlers().layer(builder.build().expect("valid options"))
}

pub(super) fn standard() -> Router {
    handlers().layer(SessionLayer::<Account>::builder().build().expect("valid options"))
}

fn handlers() -> Router {
    Router::new()
        .route("/untouched", get(async || "ok"))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/new", get(new))
        .route("/rotate", get(rotate))
}

type Answer = Result<&'static str, SessionError>;

async fn read(session: SessionData<Account>) -> &'static str {
    black_box(session.sum());
    "ok"
}

async fn write(session: SessionData<Account>) -> Answer {
    black_box(session.sum());
    session.update(Account::count).await?;
    Ok("ok")
}

async fn new(session: SessionData<Account>) -> Answer {
    session.set(Account::sample()).await?;
    Ok("ok")
}

async fn rotate(session: SessionData<Account>) -> Answer {
    session.rotate_with(Account::count).await?;
    Ok("ok")
}
