//! A cookie's name that is known only when the program runs.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    struct Config {
        name: &'static str,
    }
    let config = Config { name: "visit" };
    let _ = session!(<Visit>, cookie_name = config.name);
}
