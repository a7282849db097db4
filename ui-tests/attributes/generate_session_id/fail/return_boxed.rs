use session_runtime::generate_session_id;
use std::pin::Pin;

#[generate_session_id]
fn generate() -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async { 4 })
}

fn main() {}
