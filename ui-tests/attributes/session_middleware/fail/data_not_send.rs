//! Registered for data that sessions cannot have: it is said once, of the layer.

use std::cell::Cell;
use std::rc::Rc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, session, session_middleware};

#[derive(Clone, Default)]
struct Shared(Rc<u8>);

#[derive(Clone, Default)]
struct Counted(Cell<u8>);

#[derive(Default)]
struct Single;

#[session_middleware(Shared)]
async fn of_shared(session_system: Session<Shared>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    drop(session_system);
    response
}

#[session_middleware(Counted)]
async fn of_counted(session_system: Session<Counted>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    drop(session_system);
    response
}

#[session_middleware(Single)]
async fn of_single(session_system: Session<Single>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    drop(session_system);
    response
}

fn main() {
    let _: Router = Router::new().layer(session!(<Shared>));
    let _: Router = Router::new().layer(session!(<Counted>));
    let _: Router = Router::new().layer(session!(<Single>));
}
