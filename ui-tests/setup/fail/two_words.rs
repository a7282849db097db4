use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, same_site = Lax | Strict);
    let _ = session!(<Visit>, on_store_error = Fail & Anonymous);
}
