//! The data borrows from what does not live long enough.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit<'a> {
    name: &'a str,
}

fn layer<'a>(_name: &'a str) {
    let _ = session!(<Visit<'a>>);
}

fn main() {
    layer("name");
}
