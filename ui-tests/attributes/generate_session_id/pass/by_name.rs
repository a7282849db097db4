//! Passed by name, as closures, and as what captures: without an attribute.
#![deny(warnings)]

use std::pin::Pin;

use session_runtime::{SessionId, SessionLayer, standard};

#[derive(Clone, Default)]
struct Visit;

fn now() -> String {
    "id".repeat(50)
}

async fn later() -> SessionId {
    SessionId::parse("id").unwrap()
}

fn boxed() -> Pin<Box<dyn Future<Output = String> + Send>> {
    Box::pin(async { now() })
}

fn main() {
    let prefix = String::from("visit-");
    let builder = SessionLayer::<Visit>::builder;
    let _ = builder().generate_session_id_callback(now);
    let _ = builder().generate_session_id_callback(later);
    let _ = builder().generate_session_id_callback(boxed);
    let _ = builder().generate_session_id_callback(standard::generate_session_id);
    let _ = builder().generate_session_id_callback(async || standard::generate_session_id().await);
    let _ = builder().generate_session_id_callback(move || prefix.clone() + &now());
}
