//! Registered for a tuple.

use session_runtime::generate_session_id;

#[generate_session_id((u8, u8))]
fn generate() -> String {
    String::new()
}

fn main() {}
