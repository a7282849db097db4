//! The data of a new session.

use crate::setup::data::Data;

/// The data of a new session where the option `default_data` is not given.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Default`, and no `default_data` is given",
    label = "new sessions have no data to start with",
    note = "derive `Default` for `{Self}`, or give the option: `session!(<{Self}>, default_data = ..)`"
)]
pub trait InitialData: Sized {
    /// `Default::default()`.
    fn initial_data() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> InitialData for T {
    fn initial_data() -> Self {
        T::default()
    }
}

// The compiler shows the message above only for a trait that has more than one implementation.
impl<T: 'static> InitialData for Data<T> {
    fn initial_data() -> Self {
        Self::new()
    }
}
