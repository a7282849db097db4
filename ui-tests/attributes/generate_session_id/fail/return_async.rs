use session_runtime::generate_session_id;

#[generate_session_id]
async fn generate() -> Option<String> {
    None
}

fn main() {}
