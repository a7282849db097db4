use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_request: &Parts) -> impl Future<Output = Result<String, ()>> {
    std::future::ready(Err(()))
}

fn main() {}
