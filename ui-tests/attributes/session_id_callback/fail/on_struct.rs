use session_runtime::session_id_callback;

#[session_id_callback]
struct Callback;

fn main() {}
