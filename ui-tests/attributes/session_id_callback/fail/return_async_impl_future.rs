//! An `async` function that returns `impl Future`.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn callback(_request: &mut Parts) -> impl Future<Output = ()> {
    async {}
}

fn main() {}
