//! Words of other libraries, joined and begun as there: tower-sessions, Django, Express, Flask.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, with_secure = true);
    let _ = session!(<Visit>, SESSION_COOKIE_HTTPONLY = true);
    let _ = session!(<Visit>, maxAge = 3600);
    let _ = session!(<Visit>, session_type = "redis");
    let _ = session!(<Visit>, expire_seconds = 30);
}
