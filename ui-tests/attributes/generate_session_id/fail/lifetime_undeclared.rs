//! A lifetime that nothing declares: the compiler says it, and nothing more is said of the type.

use std::borrow::Cow;

use session_runtime::generate_session_id;

struct Visit;

#[generate_session_id(Visit)]
fn registered() -> &'a str {
    ""
}

#[generate_session_id]
fn checked() -> Cow<'a, str> {
    Cow::Borrowed("")
}

#[generate_session_id]
async fn later() -> Cow<'a, str> {
    Cow::Borrowed("")
}

fn main() {}
