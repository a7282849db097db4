use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

async fn wrong(_request: &mut String) {}

fn main() {
    let _ = session!(<Visit>, session_id_callback = wrong);
}
