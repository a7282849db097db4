//! A type in the arguments of what is returned is not in scope: the compiler says it of the function, and says it once.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

struct Visit;
struct Admin;

#[session_id_callback(Visit)]
fn registered(_request: &Parts) -> Option<SessionId> {
    None
}

#[session_id_callback]
async fn checked(_request: &Parts) -> Option<SessionId> {
    None
}

#[session_id_callback(Admin)]
async fn registered_async(_request: &Parts) -> Option<Id> {
    None
}

fn main() {}
