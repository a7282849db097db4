//! A future that holds what no other thread may have, in each form.

use std::rc::Rc;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{Session, generate_session_id, session_id_callback, session_middleware};

struct Visit;

#[session_id_callback]
async fn finds(_request: &Parts) -> Option<&str> {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
    None
}

#[session_id_callback(Visit)]
fn hidden(_request: &mut Parts) -> impl Future<Output = ()> {
    let shared = Rc::new(1);
    async move { drop(shared) }
}

#[generate_session_id]
fn generate() -> impl Future<Output = String> {
    async {
        let shared = Rc::new(1);
        std::future::ready(()).await;
        shared.to_string()
    }
}

#[session_middleware]
async fn middleware(_session_system: Session<Visit>, request: Request, next: Next) -> Response {
    let mutex = std::sync::Mutex::new(1);
    let guard = mutex.lock().unwrap();
    let response = next.run(request).await;
    drop(guard);
    response
}

fn main() {}
