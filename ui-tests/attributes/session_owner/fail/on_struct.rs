//! What is no function.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit)]
struct Owner;

#[session_owner]
mod owner {}

#[session_owner]
static OWNER: u64 = 5;

fn main() {}
