//! A generic function without `Default`.

use session_runtime::{SessionLayer, session};

fn layer<T: Clone + Send + Sync + 'static>() -> SessionLayer<T> {
    session!(<T>)
}

fn main() {}
