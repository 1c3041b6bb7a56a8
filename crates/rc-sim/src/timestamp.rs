//! Points in time, as values that callers pass in.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, PrimitiveDateTime};

/// A point in time: Unix milliseconds.
///
/// The platform never reads a clock. Every call takes the time from its caller, so a test of a week takes
/// microseconds. Arithmetic saturates.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point `millis` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// This point moved `by` into the future.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier` this point is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The form of the `Date` header (RFC 9110 section 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        let at = self.utc();
        let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
        let (year, day) = (at.year(), at.day());
        let (hour, minute, second) = at.to_hms();
        // Names are shortened to their first three letters.
        format!("{weekday:.3}, {day:02} {month:.3} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// To the second; what is later than the year 9999 becomes its end, which no format goes beyond.
    fn utc(self) -> OffsetDateTime {
        let seconds = i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX);
        OffsetDateTime::from_unix_timestamp(seconds)
            .unwrap_or_else(|_| PrimitiveDateTime::MAX.assume_utc())
    }
}

/// ISO 8601 in UTC with milliseconds, the platform's own format: `2018-10-08T09:17:27.227Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.utc();
        let (year, month, day) = at.to_calendar_date();
        let month = u8::from(month);
        let (hour, minute, second) = at.to_hms();
        let milli = self.0 % 1_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_iso_8601_and_http_dates() {
        for (millis, iso, http) in [
            (
                0,
                "1970-01-01T00:00:00.000Z",
                "Thu, 01 Jan 1970 00:00:00 GMT",
            ),
            (
                784_111_777_000,
                "1994-11-06T08:49:37.000Z",
                "Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            (
                951_782_400_123,
                "2000-02-29T00:00:00.123Z",
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                1_538_990_247_227,
                "2018-10-08T09:17:27.227Z",
                "Mon, 08 Oct 2018 09:17:27 GMT",
            ),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), iso);
            assert_eq!(Timestamp::from_millis(millis).http_date(), http);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_millis(u64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(Timestamp::from_millis(1).since(end), Duration::ZERO);
        assert!(end.to_string().starts_with("9999-12-31T23:59:59."));
        assert_eq!(end.http_date(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
