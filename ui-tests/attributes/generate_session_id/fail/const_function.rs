use session_runtime::generate_session_id;

#[generate_session_id]
const fn generate() -> String {
    String::new()
}

fn main() {}
