//! A reference that borrows from nothing.

use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() -> &str {
    "id"
}

fn main() {}
