//! The type of what is returned is missing: that the value has another one is no second mistake.

use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() {
    "x".repeat(64)
}

#[generate_session_id]
async fn in_future() {
    if true {
        return "x".repeat(64);
    }
    String::new()
}

fn main() {}
