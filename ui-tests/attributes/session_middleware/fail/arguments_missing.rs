use axum::response::Response;
use session_runtime::session_middleware;

struct Visit;

#[session_middleware(Visit)]
async fn middleware() -> Response {
    Response::default()
}

fn main() {}
