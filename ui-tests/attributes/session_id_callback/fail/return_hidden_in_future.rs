use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn callback(_request: &Parts) -> Option<impl Into<String>> {
    None::<String>
}

#[session_id_callback]
fn other(_request: &Parts) -> impl Future<Output = Option<impl Into<String>>> {
    async { None::<String> }
}

fn main() {}
