use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 30 m);
    let _ = session!(<Visit>, session_expire = 1 hour, secure = true);
}
