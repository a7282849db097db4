use session_runtime::generate_session_id;

struct Ids;

impl Ids {
    #[generate_session_id]
    fn generate() -> String {
        String::new()
    }
}

fn main() {}
