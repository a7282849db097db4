//! A unit as a method of a number, as in Ruby and Kotlin.

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    let _ = session!(<Visit>, session_expire = 24.hours());
    let _ = session!(<Visit>, store_timeout = 5.seconds());
    let _ = session!(<Visit>, absolute_expire = 2.weeks());
}
