use session_runtime::generate_session_id;

struct Ids;

impl Ids {
    #[generate_session_id]
    fn generate(&self) -> String {
        String::new()
    }
}

fn main() {}
