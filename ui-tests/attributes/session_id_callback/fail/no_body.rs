use axum::http::request::Parts;
use session_runtime::session_id_callback;

trait Callbacks {
    #[session_id_callback]
    fn callback(_request: &mut Parts);
}

fn main() {}
