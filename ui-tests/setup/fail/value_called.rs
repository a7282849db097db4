//! A standard function that is called.

use session_runtime::{session, standard};

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, middleware = standard::lazy_session_middleware());
}
