//! A function of an `extern` block.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

unsafe extern "C" {
    #[session_id_callback]
    fn callback(request: &mut Parts);
}

fn main() {}
