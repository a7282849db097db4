//! All three callbacks replaced: the id from `Authorization: Bearer` or else the cookie, ids of one's own, and a middleware that times
//! requests and answers 503 while the shop is closed.
//!
//! ```sh
//! cargo run --example callbacks
//! curl -i localhost:3000/                                       # 1 item, and a cookie with an id of our own
//! curl -i -H 'authorization: Bearer <that id>' localhost:3000/  # 2 items, and no cookie
//! curl -i -X POST localhost:3000/maintenance                    # closes the shop, or opens it again
//! curl -i localhost:3000/                                       # 503
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rand::RngExt;
use session_runtime::{
    Session, SessionData, SessionError, SessionRequestExt, generate_session_id, session, session_id_callback, session_middleware,
    standard,
};

#[derive(Clone, Default)]
struct Cart {
    items: u32,
}

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Sync: only finds the id; a bearer token wins over the cookie.
#[session_id_callback(Cart)]
fn bearer_or_cookie(request: &Parts) -> Option<&str> {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer ")).or_else(|| request.cookie("SESSION_ID"))
}

/// Sync: 128 bits, as hex digits.
#[generate_session_id(Cart)]
fn short_id() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

/// Async: around the lazy middleware.
#[session_middleware(Cart)]
async fn timed(session_system: Session<Cart>, request: Request, next: Next) -> Response {
    if CLOSED.load(Ordering::Relaxed) && request.uri().path() != "/maintenance" {
        return (StatusCode::SERVICE_UNAVAILABLE, "closed for maintenance\n").into_response();
    }
    let start = Instant::now();
    let mut response = standard::lazy_session_middleware(session_system, request, next).await;
    let micros = HeaderValue::from(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    response.headers_mut().insert(const { HeaderName::from_static("x-micros") }, micros);
    response
}

async fn add_item(session: SessionData<Cart>) -> Result<String, SessionError> {
    let items = session
        .update(|cart| {
            cart.items += 1;
            cart.items
        })
        .await?;
    Ok(format!("{items} in the cart\n"))
}

async fn maintenance() -> &'static str {
    let was_closed = CLOSED.fetch_xor(true, Ordering::Relaxed);
    if was_closed { "open\n" } else { "closed\n" }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/", get(add_item)).route("/maintenance", post(maintenance)).layer(session!(<Cart>));

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
