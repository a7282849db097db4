use session_runtime::generate_session_id;

#[generate_session_id]
static ID: &str = "id";

fn main() {}
