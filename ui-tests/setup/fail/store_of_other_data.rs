use session_runtime::{session, store::MemoryStore};

#[derive(Clone, Default)]
struct Visit;
struct Admin;

fn main() {
    let _ = session!(<Visit>, store = MemoryStore::<Admin>::new());
}
