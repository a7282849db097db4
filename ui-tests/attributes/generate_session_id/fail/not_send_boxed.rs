use std::pin::Pin;
use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() -> Pin<Box<dyn Future<Output = String>>> {
    Box::pin(async { String::new() })
}

fn main() {}
