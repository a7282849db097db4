//! Data that is not `Send`, given to a router.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit {
    _name: std::rc::Rc<str>,
}

fn main() {
    let _: axum::Router = axum::Router::new().layer(session!(<Visit>));
}
