//! A counter that loses no update, under the lazy middleware: no cookie until the first change.
//!
//! ```sh
//! cargo run --example counter
//! curl -i -c jar -b jar localhost:3000/                 # 0, and no cookie
//! curl -i -c jar -b jar -X POST localhost:3000/         # 1, and a cookie
//! curl -i -c jar -b jar -X POST localhost:3000/rotate   # another id
//! curl -i -c jar -b jar -X POST localhost:3000/logout   # the cookie is removed
//! curl -i -c jar -b jar -X POST localhost:3000/rotate   # 401: no session
//! ```
//!
//! The sessions are where `SESSION_STORE` says, in memory unless it is given; several processes may share them:
//!
//! ```sh
//! SESSION_STORE=redis://127.0.0.1 cargo run --example counter --features redis
//! SESSION_STORE=redis://127.0.0.1 PORT=3001 cargo run --example counter --features redis
//! ```

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::{SessionData, SessionError, session, standard, store};

#[derive(Clone, Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

async fn show(session: SessionData<Counter>) -> String {
    session.count.to_string()
}

async fn add_one(session: SessionData<Counter>) -> Result<String, SessionError> {
    let count = session
        .update(|counter| {
            counter.count += 1;
            counter.count
        })
        .await?;
    Ok(count.to_string())
}

async fn rotate(session: SessionData<Counter>) -> Result<&'static str, SessionError> {
    session.rotate().await?;
    Ok("rotated")
}

async fn log_out(session: SessionData<Counter>) -> Result<&'static str, SessionError> {
    session.destroy().await?;
    Ok("logged out")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("SESSION_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let store = store::connect(&url).await.map_err(|error| error.to_string())?;
    let app = Router::new()
        .route("/", get(show).post(add_one))
        .route("/rotate", post(rotate))
        .route("/logout", post(log_out))
        .layer(session!(<Counter>, middleware = standard::lazy_session_middleware, store = store));

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
