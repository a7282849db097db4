use session_runtime::SessionLayer;
use axum::extract::Request;
use session_runtime::Session;

#[derive(Clone, Default)]
struct Visit;

async fn wrong(_session_system: Session<Visit>, _request: Request) -> &'static str {
    ""
}

fn main() {
    let _ = SessionLayer::<Visit>::builder().middleware(wrong);
}
