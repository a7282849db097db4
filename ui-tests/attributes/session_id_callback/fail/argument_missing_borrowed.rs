//! What borrows from the argument that is missing is no second mistake.

use session_runtime::session_id_callback;

struct Visit;

#[session_id_callback]
fn checked() -> Option<&str> {
    None
}

#[session_id_callback(Visit)]
async fn registered() -> Option<&str> {
    None
}

#[session_id_callback]
fn boxed() -> Box<dyn Future<Output = Option<&str>> + Send> {
    Box::new(async { None })
}

fn main() {}
