//! The names of the keys.

use std::sync::Arc;

use crate::store::Key;

/// What a key begins with; a hash of the session's id follows, in hex.
#[derive(Debug, Clone)]
pub(super) struct KeyPrefix(Arc<str>);

impl KeyPrefix {
    pub(super) fn new(prefix: &str) -> Self {
        Self(Arc::from(prefix))
    }

    pub(super) fn key(&self, key: Key<'_>) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let hash = key.sha256();
        let mut name = String::with_capacity(self.0.len() + 2 * hash.len());
        name.push_str(&self.0);
        for byte in hash {
            name.push(char::from(HEX[usize::from(byte >> 4)]));
            name.push(char::from(HEX[usize::from(byte & 15)]));
        }
        name
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self::new("session:")
    }
}
