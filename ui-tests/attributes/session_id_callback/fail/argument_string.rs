use session_runtime::session_id_callback;

#[session_id_callback]
fn callback(_request: &mut String) {}

fn main() {}
