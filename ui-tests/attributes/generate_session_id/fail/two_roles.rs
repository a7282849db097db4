use session_runtime::generate_session_id;

#[generate_session_id]
#[session_runtime::session_id_callback]
fn generate() -> String {
    String::new()
}

fn main() {}
