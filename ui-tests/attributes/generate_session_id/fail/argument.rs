use session_runtime::generate_session_id;

#[generate_session_id]
fn generate(_length: usize, _seed: u64) -> String {
    String::new()
}

fn main() {}
