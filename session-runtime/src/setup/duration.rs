//! Durations as constants: of an integer of seconds, of whichever type, or of a `Duration`.
//!
//! `Value(24 * 3600).to_duration()` is resolved by autoref, since constants cannot call traits: first the methods that take `self`
//! (`u64`, which an integer without a type becomes, and `Duration`), then those that take `&self` (the other integers), and
//! last the trait, which says what a duration is.

use std::time::Duration;

/// The value of an option that takes a duration.
pub struct Value<T>(pub T);

impl Value<Duration> {
    /// The duration itself.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        self.0
    }
}

impl Value<u64> {
    /// Of seconds.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
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
            pub const fn to_duration(&self) -> Duration {
                assert!(self.0 >= 0, "a duration is not negative");
                assert!(self.0 as u128 <= u64::MAX as u128, "a duration has at most 2^64 - 1 seconds");
                Duration::from_secs(self.0 as u64)
            }
        }
    )*};
}

seconds! { u8 u16 u32 usize u128 i8 i16 i32 i64 isize i128 }

/// What is no duration, for its message.
pub trait NoDuration<T> {
    /// Asks for a duration.
    fn to_duration(&self) -> Duration
    where
        T: IsDuration;
}

impl<T> NoDuration<T> for Value<T> {
    fn to_duration(&self) -> Duration
    where
        T: IsDuration,
    {
        unreachable!("what is no duration does not compile")
    }
}

/// A duration or an integer of seconds; the methods above are what takes them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no duration",
    label = "not a duration",
    note = "a duration is `24h`, `30m`, `90s`, `7d`, an integer of seconds, or a constant `Duration`"
)]
pub trait IsDuration {}

impl IsDuration for Duration {}

impl IsDuration for u64 {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_is_a_number_of_seconds() {
        const MINUTE: Duration = Duration::from_secs(60);
        assert_eq!(Value(60).to_duration(), MINUTE);
        assert_eq!(Value(60_u8).to_duration(), MINUTE);
        assert_eq!(Value(60_i32).to_duration(), MINUTE);
        assert_eq!(Value(60_usize).to_duration(), MINUTE);
        assert_eq!(Value(60_i128).to_duration(), MINUTE);
        assert_eq!(Value(MINUTE).to_duration(), MINUTE);
    }

    #[test]
    fn an_integer_without_a_type_may_be_large() {
        const LONG: Duration = Value(100_000 * 86_400).to_duration();
        assert_eq!(LONG.as_secs(), 8_640_000_000);
    }

    #[test]
    #[should_panic(expected = "a duration is not negative")]
    fn a_negative_number_is_refused() {
        let _ = Value(-1_i64).to_duration();
    }
}
