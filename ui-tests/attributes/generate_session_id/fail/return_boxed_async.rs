//! An `async` function that returns a boxed future.

use std::pin::Pin;

use session_runtime::generate_session_id;

#[generate_session_id]
async fn generate() -> Pin<Box<dyn Future<Output = String> + Send>> {
    Box::pin(async { String::new() })
}

fn main() {}
