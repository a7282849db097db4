use session_runtime::SessionLayer;

#[derive(Clone, Default)]
struct Visit;

fn wrong(_request: &mut String) {}

fn main() {
    let _ = SessionLayer::<Visit>::builder().session_id_callback(wrong);
}
