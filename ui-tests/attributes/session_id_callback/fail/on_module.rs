use session_runtime::session_id_callback;

#[session_id_callback]
mod callbacks {}

fn main() {}
