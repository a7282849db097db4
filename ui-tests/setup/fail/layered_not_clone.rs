//! Data that is not `Clone`, given to a router.

use session_runtime::session;

#[derive(Default)]
struct Visit;

fn main() {
    let _: axum::Router = axum::Router::new().layer(session!(<Visit>));
}
