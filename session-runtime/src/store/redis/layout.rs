//! How sessions are laid out on the server: the names of the keys, and the scripts that know what stands there.

use std::sync::Arc;
use std::time::Duration;

use super::row::{millis, push_hex};
use super::scripts::{FASTAPI, OWN, Scripts};
use super::target::PREFIX;
use crate::store::{Key, Owner};

/// Unless given, how long a session lives that the FastAPI system made: as that has it.
const FASTAPI_EXPIRE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone)]
pub(super) struct Layout {
    prefix: Arc<str>,
    /// The FastAPI system's layout, and how long its sessions live.
    fastapi: Option<Duration>,
}

impl Layout {
    pub(super) fn set_prefix(&mut self, prefix: &str) {
        self.prefix = Arc::from(prefix);
    }

    pub(super) fn share_with_fastapi(&mut self) {
        self.fastapi.get_or_insert(FASTAPI_EXPIRE);
    }

    pub(super) fn set_fastapi_expire(&mut self, limit: Duration) {
        self.fastapi = Some(limit);
    }

    pub(super) fn scripts(&self) -> &'static Scripts {
        if self.fastapi.is_some() { &FASTAPI } else { &OWN }
    }

    /// The idle limit, in milliseconds, of a session beside which none is kept.
    pub(super) fn idle(&self) -> u64 {
        self.fastapi.map_or(0, millis)
    }

    /// Whether a session is one string with all that is known of it.
    pub(super) const fn is_own(&self) -> bool {
        self.fastapi.is_none()
    }

    /// Whether the keys of a session are on one node of a cluster. On the layout of the FastAPI system braces in an id would part them, and
    /// the ids that it makes have none.
    pub(super) fn is_in_one_slot(&self, key: Key<'_>) -> bool {
        self.is_own() || !key.id.as_str().contains(['{', '}'])
    }

    /// The keys of a session, for what outlives its caller.
    pub(super) fn keys(&self, key: Key<'_>) -> Keys {
        if self.is_own() { Keys::Own([self.own_key(key)]) } else { Keys::Shared(shared_keys(key)) }
    }

    /// The one key of a session on this crate's own layout: the prefix and a hash of its namespace and its id, in hex.
    pub(super) fn own_key(&self, key: Key<'_>) -> String {
        self.key("", key.sha256())
    }

    /// The key of the list of an owner's sessions. A hash of the owner stands there.
    pub(super) fn list_key(&self, owner: &Owner) -> String {
        self.key("owner:", owner.sha256())
    }

    /// The key of the list of the owner with this hash in hex.
    pub(super) fn list_key_of(&self, owner: &str) -> String {
        format!("{}owner:{owner}", self.prefix)
    }

    /// The key of the session that a list has under this name, which is the end of it.
    pub(super) fn row_key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn key(&self, kind: &str, hash: [u8; 32]) -> String {
        let mut name = String::with_capacity(self.prefix.len() + kind.len() + 2 * hash.len());
        name.push_str(&self.prefix);
        name.push_str(kind);
        push_hex(&mut name, &hash);
        name
    }
}

/// What a session is called on the server.
pub(super) enum Keys {
    Own([String; 1]),
    Shared([String; 2]),
}

impl Keys {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::Own(keys) => keys,
            Self::Shared(keys) => keys,
        }
    }

    /// What a list on another node has a session as, on this crate's own layout: the hash at the end of its key.
    pub(super) fn name(&self) -> &str {
        let key = &self.all()[0];
        &key[key.len().saturating_sub(64)..]
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self { prefix: Arc::from(PREFIX), fastapi: None }
    }
}

/// The keys of a session that is shared with the FastAPI system: its value's, and that of what stands beside it. That system knows
/// no namespace.
pub(super) fn shared_keys(key: Key<'_>) -> [String; 2] {
    let value = format!("session:id:{}", key.id.as_str());
    // The braces bring it to the node of the value.
    let beside = format!("session:beside:{{{value}}}");
    [value, beside]
}
