use session_runtime::SessionLayer;
use axum::extract::Request;
use axum::middleware::Next;
use session_runtime::Session;

#[derive(Clone, Default)]
struct Visit;

struct Admin;

async fn wrong(_session_system: Session<Admin>, _request: Request, _next: Next) -> &'static str {
    ""
}

fn main() {
    let _ = SessionLayer::<Visit>::builder().middleware(wrong);
}
