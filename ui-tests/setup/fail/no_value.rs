//! Tokens that begin no value.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = 'a);
    let _ = session!(<Visit>, secure = >);
    let _ = session!(<Visit>, secure = @, path = "/");
}
