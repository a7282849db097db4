//! The store's clock: nanoseconds since the store was made, in 64 bits, which last 584 years.

use std::time::Duration;

use tokio::time::Instant;

/// A time or a length that is never reached.
pub(super) const FOREVER: u64 = u64::MAX;

#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> u64 {
        self.at(Instant::now())
    }

    /// This clock's time at an instant.
    pub(super) fn at(self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.0))
    }

    /// The instant of a time of this clock, if the platform can tell it.
    pub(super) fn instant(self, time: u64) -> Option<Instant> {
        self.0.checked_add(Duration::from_nanos(time))
    }
}

/// A length in nanoseconds; what is longer than 584 years is [`FOREVER`].
pub(super) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// The length that [`nanos`] took.
pub(super) const fn duration(nanos: u64) -> Duration {
    if nanos == FOREVER { Duration::MAX } else { Duration::from_nanos(nanos) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_lengths_saturate_and_come_back_as_they_were() {
        assert_eq!(nanos(Duration::MAX), FOREVER);
        assert_eq!(duration(nanos(Duration::MAX)), Duration::MAX);
        assert_eq!(duration(nanos(Duration::from_nanos(1))), Duration::from_nanos(1));
        assert_eq!(nanos(Duration::from_secs(18_446_744_073)), 18_446_744_073_000_000_000);
        assert_eq!(nanos(Duration::from_secs(18_446_744_074)), FOREVER);
    }
}
