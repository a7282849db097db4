use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() -> impl Future<Output = u64> {
    std::future::ready(4)
}

fn main() {}
