//! Keywords of expressions that the language does not have yet, and of leaving.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, secure = yield);
    let _ = session!(<Visit>, session_expire = become x);
    let _ = session!(<Visit>, store_timeout = return);
}
