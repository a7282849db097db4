//! An option is misspelled.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, sesion_expire = 24h);
}
