use session_runtime::SessionLayer;

#[derive(Clone, Default)]
struct Visit;

fn wrong() -> u64 {
    4
}

fn main() {
    let _ = SessionLayer::<Visit>::builder().generate_session_id_callback(wrong);
}
