//! Whose a session is.

use session_runtime::{OwnerBytes, OwnerId, session_owner};

use crate::{Admin, Visit};

/// A type of an application's own.
pub struct Account(u64);

impl OwnerId for Account {
    fn write(&self, out: &mut OwnerBytes) {
        self.0.write(out);
    }
}

/// Registered.
#[session_owner(Visit)]
fn registered(_: &Visit) -> Option<&'static str> {
    None
}

/// Deprecated, and registered all the same.
#[session_owner(Admin)]
#[deprecated = "use the other one"]
fn deprecated(_: &Admin) -> Option<u64> {
    None
}

/// Checked only.
#[must_use]
#[session_owner]
pub fn checked(_: &Visit) -> Option<Account> {
    Some(Account(5))
}
