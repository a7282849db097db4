//! Passed by name, as closures, and as what captures: without an attribute.
#![deny(warnings)]

use std::pin::Pin;
use std::sync::Arc;

use axum::http::request::Parts;
use session_runtime::{SessionLayer, SessionRequestExt, standard};

#[derive(Clone, Default)]
struct Visit;

fn sets(request: &mut Parts) {
    request.set_session_id("id");
}

async fn sets_later(request: &mut Parts) {
    request.set_session_id("id");
}

fn finds(request: &Parts) -> Option<&str> {
    request.cookie("id")
}

async fn finds_later(request: &Parts) -> Option<String> {
    request.cookie("id").map(str::to_owned)
}

fn finds_boxed(request: &Parts) -> Pin<Box<dyn Future<Output = Option<&str>> + Send + '_>> {
    Box::pin(async { request.cookie("id") })
}

fn main() {
    let name = Arc::<str>::from("id");
    let builder = SessionLayer::<Visit>::builder;
    let _ = builder().session_id_callback(sets);
    let _ = builder().session_id_callback(sets_later);
    let _ = builder().session_id_callback(finds);
    let _ = builder().session_id_callback(finds_later);
    let _ = builder().session_id_callback(finds_boxed);
    let _ = builder().session_id_callback(standard::fetch_session_id);
    let _ = builder().session_id_callback(|request: &mut Parts| request.set_session_id("id"));
    let _ = builder().session_id_callback(async |request: &mut Parts| request.set_session_id("id"));
    let _ = builder().session_id_callback(move |request: &Parts| request.cookie(&name).map(str::to_owned));
}
