//! Serves tower-sessions with its sqlx store on the URL that is given, prints its port, and ends when its input ends.

use std::error::Error;
use std::hint::black_box;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_sessions::cookie::time::Duration;
use tower_sessions::session::Error as SessionError;
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};
use tower_sessions_sqlx_store::sqlx::{PgPool, SqlitePool};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};
use workloads::{Account, Data};

const KEY: &str = "account";

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let url = std::env::args().nth(1).ok_or("usage: sqlx-peer URL")?;
    let app = if url.starts_with("postgres:") {
        let store = PostgresStore::new(PgPool::connect(&url).await?);
        store.migrate().await?;
        router(store)
    } else {
        let store = SqliteStore::new(SqlitePool::connect(&url).await?);
        store.migrate().await?;
        router(store)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, app).await?;
    Ok(())
}

fn router(store: impl SessionStore + Clone) -> Router {
    Router::new()
        .route("/read", get(async |session: Session| answer(read(session).await)))
        .route("/write", get(async |session: Session| answer(write(session).await)))
        .route("/new", get(async |session: Session| answer(session.insert(KEY, Account::sample()).await)))
        .layer(SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(Duration::days(1))))
        .with_state(())
}

fn answer(result: Result<(), SessionError>) -> Result<&'static str, StatusCode> {
    result.map(|()| "ok").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn read(session: Session) -> Result<(), SessionError> {
    let account: Account = session.get(KEY).await?.unwrap_or_default();
    black_box(account.sum());
    Ok(())
}

async fn write(session: Session) -> Result<(), SessionError> {
    let mut account: Account = session.get(KEY).await?.unwrap_or_default();
    black_box(account.sum());
    account.count();
    session.insert(KEY, account).await
}
