//! A default for an argument, as in Python: the compiler says it.

use session_runtime::generate_session_id;

#[generate_session_id]
fn generate(_length: usize = 32) -> String {
    String::new()
}

fn main() {}
