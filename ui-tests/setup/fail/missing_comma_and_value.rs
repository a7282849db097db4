use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit> store);
    let _ = session!(Visit secure, cookie_name = "visit");
    let _ = session!(<Visit>, secure = true persistent);
}
