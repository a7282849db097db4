//! A type that is not in scope is said once.

use session_runtime::generate_session_id;

struct Visit;

#[generate_session_id(Visit)]
fn boxed() -> Box<Uuid> {
    unimplemented!()
}

#[generate_session_id]
async fn maybe() -> Option<Uuidd> {
    None
}

#[generate_session_id]
fn alone() -> Id {
    unimplemented!()
}

fn main() {}
