//! Data that is an `Option`, and values that await and return.

#![deny(warnings)]

use session_runtime::store::MemoryStore;
use session_runtime::{SessionLayer, session};

#[derive(Clone, Default)]
struct Visit;

async fn connect() -> Result<MemoryStore<Visit>, std::fmt::Error> {
    Ok(MemoryStore::new())
}

async fn layer() -> Result<SessionLayer<Visit>, std::fmt::Error> {
    Ok(session!(<Visit>, store = connect().await?, same_site = None))
}

fn send<T: Send>(_: T) {}

fn main() {
    send(layer());
    let _ = session!(<Option<Visit>>, default_data = None);
    let _ = session!(<Option<u8>>, default_data = Some(4));
}
