//! Time and randomness, which callers bring.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A moment of the wall clock, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Dates what outlives the process: token expiry, the end of a session.
///
/// ```
/// use std::time::Duration;
///
/// use rc_auth_core::Timestamp;
///
/// let noon = Timestamp::from_unix_millis(1_800_014_400_000);
/// let later = noon.saturating_add(Duration::from_secs(60));
/// assert_eq!(noon.to_string(), "2027-01-15T12:00:00Z");
/// assert_eq!(later.saturating_since(noon), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A moment from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// The moment `after` later, or the last one that can be written.
    #[must_use]
    pub fn saturating_add(self, after: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment `before` earlier, or the first one that can be written.
    #[must_use]
    pub fn saturating_sub(self, before: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The time from `earlier` to this moment, zero when it is not earlier.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Universal time to the second, rounded up, as in `2026-01-01T00:01:00Z` (RFC 3339): nobody is told to
/// come too early.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000) + i64::from(self.0.rem_euclid(1000) > 0);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Year, month and day of the day that is so many days after 1970-01-01.
///
/// Counts in eras of 400 years (146,097 days), and in years that begin in March, so that the leap day is
/// the last one.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let (month, year) = if from_march < 10 {
        (from_march + 3, era * 400 + year_of_era)
    } else {
        (from_march - 9, era * 400 + year_of_era + 1)
    };
    (year, month, day)
}

/// The present, as two clocks see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// The wall clock: may be set, forwards or backwards.
    pub wall: Timestamp,
    /// Time since an arbitrary fixed moment of this process: never set, and counting suspended time
    /// where the system can. Measures waits and the age of other processes' intents, so that a wall
    /// clock set forward by a day takes nothing over.
    pub mono: Duration,
}

/// `N` bytes from a cryptographically secure source, used once.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy<const N: usize>([u8; N]);

impl<const N: usize> Entropy<N> {
    /// Takes bytes that the caller drew from the operating system's generator for this one use.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Entropy<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entropy<{N}>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_printed_in_universal_time_rounded_up() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:01Z"),
            (-1, "1970-01-01T00:00:00Z"),
            (-1_000, "1969-12-31T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59Z"),
            (1_767_225_660_000, "2026-01-01T00:01:00Z"),
            (1_798_761_599_001, "2027-01-01T00:00:00Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::from_unix_millis(millis).to_string(), text);
        }
        for edge in [i64::MIN, i64::MAX] {
            assert!(Timestamp::from_unix_millis(edge).to_string().ends_with('Z'));
        }
    }
}
