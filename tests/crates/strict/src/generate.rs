//! The generator.

use session_runtime::{SessionId, generate_session_id, standard};

use crate::{Admin, Visit};

/// Registered.
#[generate_session_id(Visit)]
async fn registered() -> String {
    standard::generate_session_id().await
}

/// Deprecated, and registered all the same.
#[generate_session_id(Admin)]
#[deprecated = "use the other one"]
fn deprecated() -> String {
    "0123456789".repeat(10)
}

/// Checked only.
#[must_use]
#[generate_session_id]
pub fn checked() -> SessionId {
    SessionId::parse("0123456789abcdef").unwrap_or_else(|_| unreachable!())
}
