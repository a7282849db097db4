//! A comma that stands a word too early or too late is one mistake.

use session_runtime::{session, store::MemoryStore};

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit,> secure = true);
    let _ = session!(<Visit>, secure, = true);
    let _ = session!(<Visit> secure, = true);
    let _ = session!(<Visit>, path = "/" secure, = true, store = MemoryStore::new());
    let _ = session!(<Visit>, path =, "/" secure = true, store = MemoryStore::new());
    let _ = session!(<Visit>, secure =, true path = "/");
    let _ = session!(, Visit secure = true);
}
