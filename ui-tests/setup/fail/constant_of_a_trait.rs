//! A constant that is another one for each type.

use session_runtime::{SessionLayer, session};

trait App: Clone + Default + Send + Sync + 'static {
    const NAME: &'static str;

    fn layer() -> SessionLayer<Self> {
        session!(<Self>, cookie_name = Self::NAME)
    }
}

fn main() {}
