//! A constant of a type parameter.

use session_runtime::{SessionLayer, session};

trait Named {
    const NAME: &'static str;
}

fn layer<T: Named + Clone + Default + Send + Sync + 'static>() -> SessionLayer<T> {
    session!(<T>, cookie_name = T::NAME)
}

fn main() {}
