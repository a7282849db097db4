//! That nothing can borrow from the argument is no second mistake.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn by_value(request: Parts) -> Option<&str> {
    request.uri.query()
}

#[session_id_callback(crate = session_runtime)]
async fn by_value_later(request: Parts) -> Option<&str> {
    std::future::ready(()).await;
    request.uri.query()
}

#[session_id_callback]
fn nothing(request: Parts) -> Option<&str> {
    None
}

#[session_id_callback]
fn borrowed_twice(request: &&Parts) -> Option<&str> {
    request.uri.query()
}

#[session_id_callback]
fn borrowed_twice_mutably(request: &&mut Parts) {
    let _ = request;
}

fn main() {}
