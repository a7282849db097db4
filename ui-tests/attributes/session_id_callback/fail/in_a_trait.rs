//! A function of a trait.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

trait Login {
    #[session_id_callback]
    fn callback(request: &mut Parts);
}

struct Form;

impl Login for Form {
    fn callback(_request: &mut Parts) {}
}

fn main() {}
