//! `Self` as the id.

use session_runtime::generate_session_id;

struct Id;

impl Id {
    #[generate_session_id]
    fn generate() -> Self {
        Self
    }
}

fn main() {}
