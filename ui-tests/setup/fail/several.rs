//! Every mistake is answered in one pass.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(
        <Visit>,
        sesion_expire = 24h,
        cookie_name = "a b",
        secure: true,
        store_timeout = 0,
    );
}
