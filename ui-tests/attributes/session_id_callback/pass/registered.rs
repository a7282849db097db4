//! Registered for one data type, for several, in a function's body, when deprecated.
#![deny(warnings)]

use axum::http::request::Parts;
use session_runtime::macro_support::RegisteredSessionId;
use session_runtime::{SessionRequestExt, session_id_callback};

struct Visit;
struct Hidden;
struct Named;
struct Admin;
mod data {
    pub(crate) struct Cart<T>(pub(crate) T);
    pub(crate) struct Old;
}

#[session_id_callback(Visit, Admin, data::Cart<u8>, data::Cart<(u8, u8)>, crate = ::session_runtime,)]
async fn callback(request: &mut Parts) {
    request.set_session_id("id");
}

#[session_id_callback(crate::data::Old)]
#[deprecated]
fn deprecated(_request: &mut Parts) {}

/// Its type hides the lifetime that the answer borrows for.
type Head<'r> = &'r Parts;

#[session_id_callback(Hidden)]
#[allow(mismatched_lifetime_syntaxes)]
fn hidden(head: Head) -> Option<&str> {
    head.cookie("id")
}

#[session_id_callback(Named)]
fn named(head: Head<'_>) -> Option<&str> {
    head.cookie("id")
}

fn is_registered<T: RegisteredSessionId>(_: T) {}

fn main() {
    is_registered(Hidden);
    is_registered(Named);
    struct Local;

    #[session_id_callback(Local)]
    fn local(_request: &Parts) -> Option<&str> {
        None
    }

    let _ = (Visit, Admin, data::Cart(1_u8).0, data::Old, Local);
}
