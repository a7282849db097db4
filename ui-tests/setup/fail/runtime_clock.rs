//! The time is known only when the program runs.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = std::time::Instant::now().elapsed());
    let _ = session!(<Visit>, store_timeout = std::time::SystemTime::now().elapsed().unwrap());
    let _ = session!(<Visit>, absolute_expire = Utc::now());
}
