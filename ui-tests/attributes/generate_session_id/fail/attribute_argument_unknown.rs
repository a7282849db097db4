use session_runtime::generate_session_id;

#[generate_session_id(length = 100)]
fn generate() -> String {
    String::new()
}

fn main() {}
