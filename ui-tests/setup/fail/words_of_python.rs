use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const DEBUG: bool = true;

fn main() {
    let _ = session!(<Visit>, secure = not DEBUG);
    let _ = session!(<Visit>, secure = true and DEBUG, cookie_name = "visit");
    let _ = session!(<Visit>, persistent = false or DEBUG);
    let _ = session!(<Visit>, session_expire = 24h if DEBUG else 1h);
    let _ = session!(<Visit>, session_id_callback = lambda request: None);
}
