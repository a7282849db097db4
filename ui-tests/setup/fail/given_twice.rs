//! An option is given twice.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(
        <Visit>,
        cookie_name = "visit",
        secure = true,
        cookie_name = "visitor",
    );
}
