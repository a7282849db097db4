//! The data type as a value, so that its methods can be looked up.

use std::marker::PhantomData;

/// Stands for the data type `T`, whatever traits it has.
pub struct Data<T>(PhantomData<fn() -> T>);

impl<T: 'static> Data<T> {
    /// Stands for `T`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "generated code calls it by name")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}
