//! Moments, as pages show them.

use rc_auth::Timestamp;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A moment on a page: for machines, for people, and as a distance from now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    /// RFC 3339, for the `datetime` attribute.
    pub machine: String,
    /// `2026-11-24 13:05 UTC`
    pub utc: String,
    /// `in 59 minutes`
    pub relative: String,
}

impl Moment {
    /// `at`, seen from `now`.
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        let utc = utc(at);
        let (year, month, day) = utc.to_calendar_date();
        let month = u8::from(month);
        let (hour, minute, second) = utc.to_hms();
        Self {
            machine: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            utc: format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC"),
            relative: relative(at.unix_millis().saturating_sub(now.unix_millis())),
        }
    }
}

/// To the second; what lies beyond the years that dates are written in becomes the first or last of them.
fn utc(at: Timestamp) -> OffsetDateTime {
    let seconds = at.unix_millis().div_euclid(1000);
    let end = if seconds < 0 {
        PrimitiveDateTime::MIN
    } else {
        PrimitiveDateTime::MAX
    };
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(end.assume_utc())
}

/// Rounds down, so that a time is never shown later than it is.
fn relative(millis: i64) -> String {
    let seconds = millis.unsigned_abs() / 1000;
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if millis < 0 {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    #[test]
    fn moments_are_shown_in_utc() {
        for (seconds, machine) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_478_400, "2026-11-24T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX / 1000, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Moment::new(at(seconds), at(0)).machine, machine);
        }
        assert_eq!(
            Moment::new(at(1_795_478_400), at(0)).utc,
            "2026-11-24 00:00 UTC"
        );
    }

    #[test]
    fn distances_read_naturally() {
        for (seconds, text) in [
            (1, "in 1 second"),
            (59, "in 59 seconds"),
            (60, "in 1 minute"),
            (3599, "in 59 minutes"),
            (3600, "in 1 hour"),
            (7 * 86_400, "in 7 days"),
            (-120, "2 minutes ago"),
        ] {
            assert_eq!(Moment::new(at(1000 + seconds), at(1000)).relative, text);
        }
    }
}
