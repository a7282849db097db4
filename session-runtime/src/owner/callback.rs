//! Who a session belongs to, as the layer asks it.

use std::fmt;
use std::sync::Arc;

use super::id::OwnerBytes;

/// Whose a session is, as the layer asks it. (A type of its own, whose name costs the compiler less than what is in it.)
pub struct OwnerOf<T>(Arc<Compute<T>>);

type Compute<T> = dyn Fn(&T) -> Option<OwnerBytes> + Send + Sync;

impl<T> OwnerOf<T> {
    pub(crate) fn new(compute: impl Fn(&T) -> Option<OwnerBytes> + Send + Sync + 'static) -> Self {
        Self(Arc::new(compute))
    }

    /// The owner of a session with these data; nobody's is none.
    pub(crate) fn of(&self, data: &T) -> Option<OwnerBytes> {
        (self.0)(data)
    }
}

impl<T> Clone for OwnerOf<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for OwnerOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerOf(..)")
    }
}
