//! A generic function without `Send`.

use session_runtime::session;

fn app<T: Clone + Default + 'static>() -> axum::Router {
    axum::Router::new().layer(session!(<T>))
}

fn main() {}
