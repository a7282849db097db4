//! An argument with the type first, as in C: the compiler says it.

use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(Parts request) -> Option<String> {
    None
}

fn main() {}
