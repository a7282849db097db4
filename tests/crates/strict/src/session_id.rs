//! The session id.

use axum::http::request::Parts;
use session_runtime::{SessionRequestExt as _, session_id_callback};

use crate::{Admin, Visit};

/// Registered for two.
#[session_id_callback(Visit, Admin)]
#[tracing::instrument(skip_all)]
async fn registered(request: &mut Parts) {
    std::future::ready(()).await;
    request.set_session_id("id");
}

/// Checked only.
#[tracing::instrument(skip_all)]
#[session_id_callback]
#[must_use]
pub fn checked(request: &Parts) -> Option<&str> {
    request.cookie("id")
}

/// Left out.
#[session_id_callback(Visit)]
#[cfg(any())]
fn left_out(request: &mut Missing) {}

/// Left out before the attribute is seen.
#[cfg(any())]
#[session_id_callback(Visit)]
fn left_out_above(request: &mut Missing) {}

/// The attribute does not count as a use.
#[session_id_callback]
#[expect(dead_code, reason = "nothing uses it")]
fn unused(_request: &mut Parts) {}
