//! What has no type of its own takes none from the option.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn store() {
    let _ = session!(<Visit>, store = "memory:".into());
}

fn middleware() {
    let _ = session!(<Visit>, middleware = Default::default());
}

fn owner() {
    let _ = session!(<Visit>, owner = "owner".parse().unwrap());
}

fn error_response() {
    let _ = session!(<Visit>, error_response = std::iter::empty::<u8>().collect());
}

fn main() {}
