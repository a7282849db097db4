use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Visit;

struct Login;

impl Login {
    #[session_id_callback(Visit)]
    fn callback(_request: &mut Parts) {}
}

fn main() {}
