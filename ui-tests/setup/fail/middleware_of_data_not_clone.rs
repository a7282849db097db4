//! Data that is not `Clone`, and a middleware that asks for it too.

use session_runtime::session;
use session_runtime::standard::lazy_session_middleware;

#[derive(Default)]
struct Visit;

fn main() {
    let _: axum::Router = axum::Router::new().layer(session!(<Visit>, middleware = lazy_session_middleware));
}
