//! A value that ends with an operator.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 24h +);
}
