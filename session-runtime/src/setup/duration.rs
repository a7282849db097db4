//! Durations as constants: of an integer of seconds, of whichever type, or of a `Duration`.
//!
//! `Value(24 * 3600).__to_duration("session_expire")` is resolved by autoref, since constants cannot call traits: first the method
//! that takes `self` (of `u64`, which an integer without a type becomes, and all else whose type is not known), then those that take `&self`
//! (of `Duration` and the other integers), and last the trait, for what is no duration.

use std::time::Duration;

use crate::error::ConfigError;
use crate::setup::assert::fail;

/// The value of an option that takes a duration.
pub struct Value<T>(pub T);

impl Value<Duration> {
    /// The duration itself.
    #[must_use]
    pub const fn __to_duration(&self, _option: &str) -> Duration {
        self.0
    }
}

impl Value<u64> {
    /// Of seconds.
    #[must_use]
    pub const fn __to_duration(self, _option: &str) -> Duration {
        Duration::from_secs(self.0)
    }
}

macro_rules! seconds {
    ($($integer:ty)*) => {$(
        impl Value<$integer> {
            /// Of seconds.
            #[must_use]
            #[track_caller]
            #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, clippy::cast_lossless, clippy::cast_possible_wrap)]
            #[allow(irrefutable_let_patterns, unused_comparisons)]
            pub const fn __to_duration(&self, option: &'static str) -> Duration {
                if self.0 < 0 {
                    fail(ConfigError::new(option, "is negative: give it a positive duration"));
                }
                if self.0 as u128 > u64::MAX as u128 {
                    fail(ConfigError::new(option, "is too long: a duration has at most 2^64 - 1 seconds"));
                }
                Duration::from_secs(self.0 as u64)
            }
        }
    )*};
}

seconds! { u8 u16 u32 usize u128 i8 i16 i32 i64 isize i128 }

/// What is no duration: of its own type, so that the compiler says which one it found where a `Duration` is expected.
pub trait NoDuration<T> {
    /// The value as it is.
    fn __to_duration(&self, option: &str) -> T;
}

impl<T> NoDuration<T> for Value<T> {
    fn __to_duration(&self, _option: &str) -> T {
        unreachable!("what is no duration does not compile")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_is_a_number_of_seconds() {
        const MINUTE: Duration = Duration::from_secs(60);
        assert_eq!(Value(60).__to_duration("store_timeout"), MINUTE);
        assert_eq!(Value(60_u8).__to_duration("store_timeout"), MINUTE);
        assert_eq!(Value(60_i32).__to_duration("store_timeout"), MINUTE);
        assert_eq!(Value(60_usize).__to_duration("store_timeout"), MINUTE);
        assert_eq!(Value(60_i128).__to_duration("store_timeout"), MINUTE);
        assert_eq!(Value(MINUTE).__to_duration("store_timeout"), MINUTE);
    }

    #[test]
    fn an_integer_without_a_type_may_be_large() {
        const LONG: Duration = Value(100_000 * 86_400).__to_duration("store_timeout");
        assert_eq!(LONG.as_secs(), 8_640_000_000);
    }

    #[test]
    #[should_panic(expected = "`store_timeout` is negative")]
    fn a_negative_number_is_refused() {
        let _ = Value(-1_i64).__to_duration("store_timeout");
    }
}
