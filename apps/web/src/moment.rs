//! Moments, as pages show them.

use rc_auth::Timestamp;

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
        let seconds = at.unix_millis().div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Self {
            machine: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            utc: format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC"),
            relative: relative(at.unix_millis().saturating_sub(now.unix_millis())),
        }
    }
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

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is the last one.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
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
