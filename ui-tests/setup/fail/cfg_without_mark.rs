use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = cfg(debug_assertions));
    let _ = session!(<Visit>, secure = cfg(feature = "tls"), path = "/");
}
