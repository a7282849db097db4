use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session_middleware};

struct Visit;

trait Middlewares {
    #[session_middleware]
    fn middleware(_session_system: Session<Visit>, request: Request, next: Next) -> Response;
}

fn main() {}
