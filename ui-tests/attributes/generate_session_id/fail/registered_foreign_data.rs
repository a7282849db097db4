use session_runtime::generate_session_id;

#[generate_session_id(Vec<u8>)]
fn generate() -> String {
    String::new()
}

fn main() {}
