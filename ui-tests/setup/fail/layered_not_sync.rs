//! Data that is not `Sync`, given to a router.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit {
    _pages: std::cell::Cell<u8>,
}

fn main() {
    let _: axum::Router = axum::Router::new().layer(session!(<Visit>));
}
