use axum::middleware::Next;
use session_runtime::session_middleware;

struct Visit;

#[session_middleware(Visit)]
async fn middleware(_session_system: Visit, _request: u8, _next: Next) -> u64 {
    4
}

fn main() {}
