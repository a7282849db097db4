use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Login;

impl Login {
    #[session_id_callback]
    fn callback(&self, _request: &mut Parts) {}
}

fn main() {}
