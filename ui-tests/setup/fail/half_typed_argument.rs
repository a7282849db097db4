//! A value with an argument that is still typed.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, store = MemoryStore::new(.), secure = true);
    let _ = session!(<Visit>, error_response = |error| answer(error, .));
    let _ = session!(<Visit>, store = , secure = true);
}
