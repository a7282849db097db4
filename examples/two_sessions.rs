//! A visitor's and an administrator's session on one router, with cookies and limits of their own.
//!
//! ```sh
//! cargo run --example two_sessions
//! curl -i -c jar -b jar localhost:3000/                             # 1 page
//! curl -i -c jar -b jar -X POST localhost:3000/admin/login/ada      # a second cookie, for /admin only
//! curl -i -c jar -b jar localhost:3000/admin                        # ada, who saw 1 page
//! curl -i -c jar -b jar -X POST localhost:3000/admin/logout         # the visitor's session stays
//! ```

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_runtime::{SessionData, SessionError, session, standard};

#[derive(Clone, Default)]
struct Visitor {
    pages: u32,
}

#[derive(Clone, Default)]
struct Admin {
    name: Option<String>,
}

async fn page(visitor: SessionData<Visitor>) -> Result<String, SessionError> {
    let pages = visitor
        .update(|visitor| {
            visitor.pages += 1;
            visitor.pages
        })
        .await?;
    Ok(format!("page {pages}\n"))
}

async fn dashboard(admin: SessionData<Admin>, visitor: SessionData<Visitor>) -> Result<String, StatusCode> {
    let name = admin.name.as_deref().ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(format!("{name}, who saw {} page(s)\n", visitor.pages))
}

/// A real one checks a password first. The id changes with the login, in one commit.
async fn log_in(admin: SessionData<Admin>, Path(name): Path<String>) -> Result<(), SessionError> {
    admin.rotate_with(|admin| admin.name = Some(name.clone())).await
}

async fn log_out(admin: SessionData<Admin>) -> Result<(), SessionError> {
    admin.destroy().await
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let admin = Router::new()
        .route("/admin", get(dashboard))
        .route("/admin/login/{name}", post(log_in))
        .route("/admin/logout", post(log_out))
        .layer(session!(
            <Admin>,
            cookie_name = "ADMIN",
            path = "/admin",
            same_site = Strict,
            session_expire = 15m,
            absolute_expire = 8h,
            middleware = standard::lazy_session_middleware,
        ));
    let app = Router::new()
        .route("/", get(page))
        .merge(admin)
        .layer(session!(<Visitor>, middleware = standard::lazy_session_middleware));

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
