//! A name that is still typed.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, sam);
    let _ = session!(<Visit>, coo);
    let _ = session!(<Visit>, absol = 4h);
}
