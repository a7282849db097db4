//! A constant of `Self` that no cookie may be called.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

impl Visit {
    const NAME: &'static str = "my visit";

    fn app() -> axum::Router {
        axum::Router::new().layer(session!(<Self>, cookie_name = Self::NAME))
    }
}

fn main() {
    let _ = Visit::app();
}
