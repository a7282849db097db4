//! A generic function that does not ask for the bounds of the data.

use session_runtime::{SessionLayer, session};

fn layer<T: Clone + Default + Send + 'static>() -> SessionLayer<T> {
    session!(<T>)
}

fn main() {
    layer::<u8>();
}
