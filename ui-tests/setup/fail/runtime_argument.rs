//! A value that is an argument.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn app(name: &'static str) -> axum::Router {
    axum::Router::new().layer(session!(<Visit>, cookie_name = name))
}

fn main() {
    let _ = app("visit");
}
