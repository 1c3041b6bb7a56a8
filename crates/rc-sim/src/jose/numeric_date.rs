//! Times in claims (RFC 7519 section 2, `NumericDate`).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::timestamp::Timestamp;

/// Seconds since 1970, sent as an integer; fractions are read too, as the RFC allows them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct NumericDate(pub(crate) Timestamp);

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.millis() / 1_000)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(D::Error::custom("a time before 1970"));
        }
        // The cast saturates: a time too far away is the last one there is.
        Ok(Self(Timestamp::from_millis((seconds * 1_000.0) as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<u64> {
        serde_json::from_str::<NumericDate>(json)
            .ok()
            .map(|date| date.0.millis())
    }

    #[test]
    fn whole_and_broken_seconds_are_read() {
        assert_eq!(read("1300819380"), Some(1_300_819_380_000));
        assert_eq!(read("1300819380.5"), Some(1_300_819_380_500));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("1e300"), Some(u64::MAX));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for json in ["-1", "\"1300819380\"", "null", "true", "1e999", "[]"] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn whole_seconds_are_written() {
        let date = NumericDate(Timestamp::from_millis(1_300_819_380_999));
        assert_eq!(serde_json::to_string(&date).unwrap(), "1300819380");
    }
}
