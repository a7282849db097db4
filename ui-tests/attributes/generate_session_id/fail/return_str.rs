use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() -> &'static str {
    "id"
}

fn main() {}
