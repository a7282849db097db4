//! What `session!` expands to: the builder's methods, with the options' values checked before.
//!
//! 1. Options that can be checked when the program is compiled are constants, and stand in [`assert`] functions.
//! 2. What is not given by name is looked up on the data type: its registered callbacks, its `Default` ([`registered`]).
//! 3. The data type's bounds are asked for once, in [`bounds`], so that one that is missing makes one error.

mod assert;
mod bounds;
mod data;
mod duration;
mod registered;

/// What `session!` expands to.
pub(crate) mod expansion {
    pub use std::clone::Clone;
    pub use std::option::Option::None;
    pub use std::primitive::{bool, str, u32};
    pub use std::time::Duration;

    pub use session_macros::__session as session;

    pub use super::assert::{
        assert_cookie_name, assert_domain, assert_login_path, assert_namespace, assert_not_zero, assert_path, assert_positive,
        assert_secure,
    };
    pub use super::data::Data;
    pub use super::duration::{NoDuration, Value};
    pub use super::{Options, probed, unless_given};
}

/// The traits whose methods the data type is asked by, without their names: the type is named beside them, and may be called as one of
/// them.
pub mod probed {
    pub use super::bounds::{
        DataIsWhole as _, DataMustBeClone as _, DataMustBeSend as _, DataMustBeSized as _, DataMustBeSync as _,
    };
    pub use super::data::OptionValue as _;
    pub use super::registered::Standard as _;
}

/// The options that are checked beside others, where they are not given.
pub mod unless_given {
    use crate::SameSite;

    /// Not one with a prefix.
    pub const COOKIE_NAME: &str = "SESSION_ID";
    /// Does not imply `Secure`.
    pub const SAME_SITE: SameSite = SameSite::Lax;
    /// Does not imply `Secure`.
    pub const PARTITIONED: bool = false;
}

session_macros::__options! {}

#[doc = include_str!("../../docs/session.md")]
#[macro_export]
macro_rules! session {
    ($($input:tt)*) => {
        $crate::macro_support::session! { [$crate] $($input)* }
    };
}

/// The input as it is typed, for completion in an editor; the compiler never sees it.
#[cfg(rust_analyzer)]
#[doc(hidden)]
#[macro_export]
macro_rules! __complete {
    ($($input:tt)*) => { $($input)* };
}

/// The input as it is typed, for completion in an editor; the compiler never sees it.
#[cfg(not(rust_analyzer))]
#[doc(hidden)]
#[macro_export]
macro_rules! __complete {
    ($($input:tt)*) => {};
}
