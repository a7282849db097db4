//! The data type in quotes.

use session_runtime::{generate_session_id, session_owner};

struct Visit;

#[session_owner("Visit")]
fn owner(_visit: &Visit) -> Option<u64> {
    None
}

#[generate_session_id("crate::Visit", Visit)]
fn generate() -> String {
    String::new()
}

#[session_owner(r#"Vec<Visit>"#)]
fn owner_of_raw(_visit: &Visit) -> Option<u64> {
    None
}

fn main() {}
