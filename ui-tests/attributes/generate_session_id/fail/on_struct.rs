use session_runtime::generate_session_id;

#[generate_session_id]
struct Generate;

fn main() {}
