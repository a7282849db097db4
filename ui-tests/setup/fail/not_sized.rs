//! Data without a known size.

use session_runtime::session;

struct Visit {
    _bytes: [u8],
}

fn main() {
    let _: axum::Router = axum::Router::new().layer(session!(<Visit>));
}
