//! A session id that the parts of one request share, and beside it the hash that a store made of it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::key::{KeptHash, Key, Namespace};
use super::session_id::SessionId;

/// An id that is kept once and passed around: ids are large, and futures that hold them would be.
#[derive(Clone)]
pub struct SharedId(Arc<Kept>);

struct Kept {
    id: SessionId,
    hash: KeptHash,
}

impl Default for Kept {
    fn default() -> Self {
        Self { id: SessionId::EMPTY, hash: KeptHash::default() }
    }
}

impl SharedId {
    pub(crate) fn new(id: &SessionId) -> Self {
        Self::of_valid(id.as_bytes())
    }

    /// The id of this text, if it is a valid one.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        SessionId::is_valid(text).then(|| Self::of_valid(text))
    }

    /// Written where it stays: an id is large to be moved.
    pub(crate) fn of_valid(text: &[u8]) -> Self {
        let mut kept = Arc::<Kept>::default();
        if let Some(kept) = Arc::get_mut(&mut kept) {
            kept.id.write(text);
        }
        Self(kept)
    }

    /// The name that it goes by in a store, in a namespace.
    pub(crate) fn key<'a>(&'a self, namespace: &'a Namespace) -> Key<'a> {
        Key::keeping(namespace, &self.0.id, &self.0.hash)
    }
}

impl Deref for SharedId {
    type Target = SessionId;

    fn deref(&self) -> &SessionId {
        &self.0.id
    }
}

impl PartialEq for SharedId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.id == other.0.id
    }
}

impl fmt::Debug for SharedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedId(..)")
    }
}
