//! The data type as a value, so that its methods can be looked up.

use std::marker::PhantomData;

/// Stands for the data type `T`, whatever traits it has.
pub struct Data<T: ?Sized>(PhantomData<fn() -> *const T>);

impl<T: ?Sized> Data<T> {
    /// Stands for `T`.
    pub const NEW: Self = Self(PhantomData);
}
