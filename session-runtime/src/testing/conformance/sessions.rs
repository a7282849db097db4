//! Ids and limits of the sessions that the checks make.

use std::time::Duration;

use crate::id::SessionId;
use crate::store::Limits;

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A session that outlives its check, however slow the store is.
pub(super) const LONG: Limits = Limits { idle: HOUR.saturating_mul(24 * 365), absolute: None };

/// An id that no session has.
pub(super) fn fresh_id() -> SessionId {
    id(&format!("{:032x}", rand::random::<u128>()))
}

pub(super) fn id(text: &str) -> SessionId {
    SessionId::parse(text).expect("the checks make valid ids")
}
