use session_runtime::generate_session_id;
use std::rc::Rc;

#[generate_session_id]
async fn generate() -> String {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    shared.to_string()
}

fn main() {}
