use session_runtime::generate_session_id;

#[generate_session_id]
extern "C" fn generate() -> String {
    String::new()
}

fn main() {}
