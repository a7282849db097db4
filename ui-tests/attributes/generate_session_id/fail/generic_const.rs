use session_runtime::generate_session_id;

#[generate_session_id]
fn generate<const N: usize>() -> String {
    String::new()
}

fn main() {}
