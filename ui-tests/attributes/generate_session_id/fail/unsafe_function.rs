use session_runtime::generate_session_id;

#[generate_session_id]
unsafe fn generate() -> String {
    String::new()
}

fn main() {}
