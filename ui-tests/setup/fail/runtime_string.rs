//! A cookie's name that is known only when the program runs.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, cookie_name = String::from("visit"));
}
