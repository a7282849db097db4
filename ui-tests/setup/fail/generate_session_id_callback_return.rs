use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

async fn wrong() -> u64 {
    4
}

fn main() {
    let _ = session!(<Visit>, generate_session_id_callback = wrong);
}
