//! A constant that is no text.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

const NAME: u8 = 5;

fn main() {
    let _ = session!(<Visit>, cookie_name = NAME);
}
