//! The function that says who a session belongs to.

use super::id::{OwnerBytes, OwnerId};

/// A function of the data to who the session belongs to: `fn(&T) -> Option<O>`, where `O` is an [`OwnerId`] and may borrow from the data. It must
/// answer the same whenever it is asked about the same data.
pub trait OwnerFn<'a, T: 'a>: Fn(&'a T) -> Option<Self::Owner> {
    /// What it says.
    type Owner: OwnerId;
}

impl<'a, T: 'a, F, O> OwnerFn<'a, T> for F
where
    F: Fn(&'a T) -> Option<O>,
    O: OwnerId,
{
    type Owner = O;
}

/// The same without its type.
pub struct OwnerCallback<T>(Box<dyn Fn(&T) -> Option<OwnerBytes> + Send + Sync>);

impl<T> OwnerCallback<T> {
    /// The callback that runs this function.
    pub fn new<F>(owner: F) -> Self
    where
        F: for<'a> OwnerFn<'a, T> + Send + Sync + 'static,
    {
        Self(Box::new(move |data| owner(data).map(|owner| OwnerBytes::of(&owner))))
    }

    pub(crate) fn owner(&self, data: &T) -> Option<OwnerBytes> {
        (self.0)(data)
    }
}

impl<T> std::fmt::Debug for OwnerCallback<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerCallback(..)")
    }
}
