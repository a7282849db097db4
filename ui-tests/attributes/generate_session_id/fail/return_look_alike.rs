use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() -> String {
    String
}

/// Not the standard library's.
struct String;

fn main() {}
