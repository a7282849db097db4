use session_runtime::{session, store};

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, store = store::connect("memory:"));
}
