//! The document's own example: a typed session in one line.
//!
//! ```sh
//! cargo run --example quickstart
//! curl -c jar -b jar localhost:3000/              # {"username":"test_user","age":null}
//! curl -c jar -b jar -X POST localhost:3000/ada   # "Updated"
//! curl -c jar -b jar localhost:3000/              # {"username":"ada","age":null}
//! ```
//!
//! The sessions are where `SESSION_STORE` says, in memory unless it is given. In a file they are still there after a restart:
//!
//! ```sh
//! SESSION_STORE=sqlite://sessions.db cargo run --example quickstart --features sqlite
//! ```

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use session_runtime::{SessionData, SessionError, session, store};

#[derive(Clone, Serialize, Deserialize)]
struct Visit {
    username: String,
    age: Option<u32>,
}

impl Default for Visit {
    fn default() -> Self {
        Self { username: "test_user".to_owned(), age: None }
    }
}

async fn show(session: SessionData<Visit>) -> Json<SessionData<Visit>> {
    Json(session)
}

async fn rename(session: SessionData<Visit>, Path(username): Path<String>) -> Result<Json<&'static str>, SessionError> {
    // The closure may run again, on newer data, if another request changes the session at the same time: so it does not give `username` away.
    session.update(|visit| visit.username.clone_from(&username)).await?;
    Ok(Json("Updated"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("SESSION_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let store = store::connect(&url).await.map_err(|error| error.to_string())?;
    let app = Router::new().route("/", get(show)).route("/{username}", post(rename)).layer(session!(<Visit>, store = store));

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
