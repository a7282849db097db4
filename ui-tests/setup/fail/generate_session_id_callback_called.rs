use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

async fn generate() -> String {
    String::new()
}

fn main() {
    let _ = session!(<Visit>, generate_session_id_callback = generate());
}
