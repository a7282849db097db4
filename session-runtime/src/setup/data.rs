//! The data type as a value, so that its methods can be looked up.

use std::marker::PhantomData;

/// Stands for the data type `T`, whatever traits it has.
pub struct Data<T: ?Sized>(PhantomData<fn() -> *const T>);

impl<T: ?Sized> Data<T> {
    /// Stands for `T`.
    pub const NEW: Self = Self(PhantomData);
}

/// The value of an option, of which a method is called: where its type cannot be inferred, the compiler says so once, and not once more
/// of the builder's method that takes it.
pub trait OptionValue: Sized {
    /// The value.
    #[must_use]
    fn __value(self) -> Self {
        self
    }
}

impl<V> OptionValue for V {}
