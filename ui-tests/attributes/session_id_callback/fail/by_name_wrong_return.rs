use session_runtime::SessionLayer;
use axum::http::request::Parts;

#[derive(Clone, Default)]
struct Visit;

async fn wrong(_request: &Parts) -> String {
    String::new()
}

fn main() {
    let _ = SessionLayer::<Visit>::builder().session_id_callback(wrong);
}
