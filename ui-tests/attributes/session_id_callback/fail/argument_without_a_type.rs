//! An argument without a type, as in Python: the compiler says it.

use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(request) -> Option<String> {
    None
}

fn main() {}
