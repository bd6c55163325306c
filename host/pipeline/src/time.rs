//! Time as a number that is passed in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `span` later; the last one there is, where that is out of range.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The moment `span` earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The time of day, UTC, in whole seconds: `10:00:35Z`.
    pub(crate) fn clock(self) -> String {
        let seconds = self.0.div_euclid(1_000_000_000).rem_euclid(24 * 60 * 60);
        format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_out_of_range_is_the_last_there_is() {
        assert_eq!(Timestamp(1).after(Duration::from_nanos(2)), Timestamp(3));
        assert_eq!(Timestamp(5).after(Duration::MAX), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).before(Duration::from_nanos(2)), Timestamp(3));
    }

    #[test]
    fn the_time_of_day_is_that_of_utc() {
        for (at, clock) in [
            (0, "00:00:00Z"),
            (-1, "23:59:59Z"),
            (1_795_168_835_900_000_000, "10:00:35Z"),
            (86_399_999_999_999, "23:59:59Z"),
            (86_400_000_000_000, "00:00:00Z"),
        ] {
            assert_eq!(Timestamp(at).clock(), clock);
        }
    }
}
