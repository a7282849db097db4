//! On a statement: the compiler says it.

use session_runtime::generate_session_id;

fn main() {
    #[generate_session_id]
    let _generate = || String::new();
}
