//! A misspelled word.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, on_undecodable = Discart);
}
