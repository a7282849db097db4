//! The name an owner goes by in a store: hashes of a layer's namespace and of the owner.

use std::fmt;
use std::sync::Arc;

use super::id::{OwnerBytes, OwnerId};
use crate::id::{HashSecret, Namespace};

/// The name an owner of sessions goes by in a store. It is made from the layer's [`Namespace`] and the owner, which it shows to nobody:
/// a store sees hashes of them.
///
/// ```
/// use session_runtime::store::{Namespace, Owner};
///
/// let (shop, admin) = (Namespace::new("shop"), Namespace::new("admin"));
/// assert_eq!(Owner::new(&shop, &7_u64), Owner::new(&shop, &7_i32));
/// assert_ne!(Owner::new(&shop, &7), Owner::new(&admin, &7));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Owner(Arc<[u8]>);

impl Owner {
    /// The name of `owner` in a namespace.
    #[must_use]
    pub fn new(namespace: &Namespace, owner: &impl OwnerId) -> Self {
        Self::of(namespace, &OwnerBytes::of(owner))
    }

    /// The length of the namespace comes first: else a namespace and an owner could be read as a longer namespace and the rest of the owner.
    pub(crate) fn of(namespace: &Namespace, owner: &OwnerBytes) -> Self {
        let name = namespace.name().as_bytes();
        Self([&(name.len() as u64).to_le_bytes(), name, owner.as_slice()].concat().into())
    }

    /// A keyed hash, for stores of one process, which make the secret when they are made.
    ///
    /// Two owners have the same hash with a probability of about 2^-120, over the choice of the secret.
    #[must_use]
    pub fn keyed_hash(&self, secret: &HashSecret) -> u128 {
        secret.hash_bytes(&self.0)
    }

    /// The SHA-256 hash, for stores that processes share. It depends on the namespace and the owner alone.
    ///
    /// What is hashed is the length of the namespace in bytes, as 8 bytes beginning with the lowest, the namespace, and what the owner wrote.
    #[cfg(feature = "_encoding")]
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        use sha2::{Digest as _, Sha256};

        Sha256::digest(&*self.0).into()
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}
