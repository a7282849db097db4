use session_runtime::generate_session_id;

trait Ids {
    #[generate_session_id]
    fn generate() -> String;
}

fn main() {}
