//! Reading the parameters of lists. Platform §6: a bad value is CMN-101 with the parameter's name.

use time::{Date, Month, OffsetDateTime};

use crate::{resources::error::ResourceError, timestamp::Timestamp};

use super::Call;

impl Call<'_> {
    /// A number from 1 to `most`.
    pub(super) fn whole_number(
        &self,
        name: &'static str,
        most: u64,
    ) -> Result<Option<u64>, ResourceError> {
        let Some(text) = self.query.first(name) else {
            return Ok(None);
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits && (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(ResourceError::parameter(name)),
        }
    }

    /// The values of a filter. Platform §9: it may be repeated.
    pub(super) fn one_of(
        &self,
        name: &'static str,
        allowed: &[&'static str],
    ) -> Result<Vec<&'static str>, ResourceError> {
        self.query
            .all(name)
            .map(|value| {
                let known = allowed.iter().find(|known| **known == value);
                known.copied().ok_or_else(|| ResourceError::parameter(name))
            })
            .collect()
    }

    /// A time in ISO 8601.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, ResourceError> {
        let Some(text) = self.query.first(name) else {
            return Ok(None);
        };
        match read_time(text) {
            Some(time) => Ok(Some(time)),
            None => Err(ResourceError::parameter(name)),
        }
    }

    /// `dateFrom` and `dateTo`, which must not be before it.
    pub(super) fn period(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), ResourceError> {
        let (from, to) = (self.time("dateFrom")?, self.time("dateTo")?);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(ResourceError::parameter("dateFrom"));
        }
        Ok((from, to))
    }
}

/// A date, or a date and time in UTC or with an offset: `2018-10-08`, `2018-10-08T09:17:27.227Z`,
/// `2018-10-08T09:17:27+02:00`. Without an offset it is UTC. Nothing before 1970 is a time here.
fn read_time(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let days = read_date(date)?;
    let millis = match time {
        Some(time) => read_time_of_day(time)?,
        None => 0,
    };
    let millis = days.checked_mul(86_400_000)?.checked_add(millis)?;
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// Days since 1970-01-01.
fn read_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = i32::try_from(digits(parts.next()?, 4)?).ok()?;
    let month = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    Some((date - OffsetDateTime::UNIX_EPOCH.date()).whole_days())
}

/// Milliseconds since midnight UTC: negative or beyond a day when the offset leads there.
fn read_time_of_day(text: &str) -> Option<i64> {
    let end = text.find(['Z', '+', '-', ' ']).unwrap_or(text.len());
    let (time, offset) = (text.get(..end)?, text.get(end..)?);
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 2).filter(|minute| *minute < 60)?;
    let second = match parts.next() {
        Some(second) => digits(second, 2).filter(|second| *second < 60)?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let millis = fraction.map_or(Some(0), read_fraction)?;
    Some((hour * 60 + minute) * 60_000 + second * 1_000 + millis - read_offset(offset)?)
}

fn read_fraction(text: &str) -> Option<i64> {
    let length = text.len();
    let value = digits(text, length).filter(|_| (1..=9).contains(&length))?;
    let scale = 10_i64.pow(u32::try_from(length).ok()?);
    Some(value * 1_000 / scale)
}

/// Milliseconds. An unencoded `+` of a query arrives as a space, and is meant as it was typed.
fn read_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1) {
        None => return Some(0),
        Some(("Z", "")) => return Some(0),
        Some(("+" | " ", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None => rest.split_at_checked(2)?,
    };
    let hours = digits(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 60 + minutes) * 60_000)
}

/// A number of exactly `length` digits.
fn digits(text: &str, length: usize) -> Option<i64> {
    let exact = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    exact.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints_and_what_others_write() {
        for millis in [0, 951_782_400_123, 1_538_990_247_227, 4_107_542_399_999] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(read_time(&time.to_string()), Some(time));
        }
        for (text, same) in [
            ("2018-10-08", "2018-10-08T00:00:00.000Z"),
            ("2018-10-08T09:17", "2018-10-08T09:17:00.000Z"),
            ("2018-10-08T09:17:27Z", "2018-10-08T09:17:27.000Z"),
            ("2018-10-08T09:17:27.2", "2018-10-08T09:17:27.200Z"),
            ("2018-10-08T09:17:27.123456Z", "2018-10-08T09:17:27.123Z"),
            ("2018-10-08T01:17:27+02:00", "2018-10-07T23:17:27.000Z"),
            ("2018-10-08T01:17:27 0200", "2018-10-07T23:17:27.000Z"),
            ("2018-10-08T23:17:27-01:00", "2018-10-09T00:17:27.000Z"),
            ("2020-02-29", "2020-02-29T00:00:00.000Z"),
        ] {
            assert_eq!(
                read_time(text).map(|time| time.to_string()).as_deref(),
                Some(same),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_nothing() {
        for text in [
            "yesterday",
            "2018",
            "2018-13-01",
            "2019-02-29",
            "2018-10-08T",
            "2018-10-08T24:00:00Z",
            "2018-10-08T09:17:27.Z",
            "2018-10-08T09:17:27Zulu",
            "2018-10-08T09:17:27+2",
            "2018-10-08T09:17:27\u{e9}",
            "+018-10-08",
            "1969-12-31",
            "1538990247227",
        ] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }
}
