//! A text that is borrowed.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<&str>);
    let _ = session!(<&[u8]>);
    let _ = session!(<&mut str>);
}
