use axum::{extract::Request, middleware::Next, response::Response};
use session_runtime::{Session, session};

#[derive(Clone, Default)]
struct Visit;
struct Admin;

async fn wrong(_session_system: Session<Admin>, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn main() {
    let _ = session!(<Visit>, middleware = wrong);
}
