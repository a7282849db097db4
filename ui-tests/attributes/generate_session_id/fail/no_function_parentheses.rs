//! No parentheses: the compiler says it.

use session_runtime::generate_session_id;

#[generate_session_id]
fn generate -> String {
    String::new()
}

fn main() {}
