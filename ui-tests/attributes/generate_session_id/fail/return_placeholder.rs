use session_runtime::generate_session_id;

#[generate_session_id]
fn generate() -> _ {
    todo!()
}

fn main() {}
