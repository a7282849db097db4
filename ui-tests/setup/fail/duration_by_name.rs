//! Arguments by name, as in Python.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = timedelta(hours = 24));
    let _ = session!(<Visit>, session_expire = timedelta(days = 1, hours = 12));
    let _ = session!(<Visit>, session_expire = timedelta(microseconds = 5));
}
