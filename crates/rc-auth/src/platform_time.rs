//! What time the platform says it is: a second opinion before anything is ended by the clock.

use std::time::Duration;

use http::{HeaderMap, header};
use rc_auth_core::{Now, Timestamp};

use crate::shared::{Shared, lock};

/// How old the platform's word may be.
const TRUSTED_FOR: Duration = Duration::from_secs(3600);

/// The last `Date` of the platform, and when it came (monotonic).
#[derive(Debug, Default)]
pub(crate) struct PlatformTime(Option<(Timestamp, Duration)>);

impl PlatformTime {
    fn learn(&mut self, headers: &HeaderMap, now: Duration) {
        let date = headers.get(header::DATE);
        let date = date
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok());
        if let Some(millis) = date {
            self.0 = Some((Timestamp::from_unix_millis(millis), now));
        }
    }

    fn now(&self, now: Duration) -> Option<Timestamp> {
        let (date, came) = self.0?;
        let age = now.saturating_sub(came);
        (age < TRUSTED_FOR).then(|| date.saturating_add(age))
    }
}

impl Shared {
    pub(crate) fn learn_time(&self, headers: &HeaderMap) {
        let now = self.now().mono;
        lock(&self.platform_time).learn(headers, now);
    }

    /// Whether `moment` is over by this process's clock and by the platform's. `None`: the platform has
    /// not said what time it is in the last hour.
    pub(crate) fn is_surely_over(&self, moment: Timestamp, now: Now) -> Option<bool> {
        let platform = lock(&self.platform_time).now(now.mono)?;
        Some(moment <= now.wall && moment <= platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_word_is_believed_for_an_hour() {
        let mut time = PlatformTime::default();
        let mut headers = HeaderMap::new();
        let date = "Fri, 15 Jan 2027 08:00:00 GMT".parse().unwrap();
        headers.insert(header::DATE, date);
        time.learn(&headers, Duration::from_secs(5));
        let told = Timestamp::from_unix_millis(1_800_000_000_000);
        assert_eq!(time.now(Duration::from_secs(5)), Some(told));
        let later = time.now(Duration::from_secs(15));
        assert_eq!(later, Some(told.saturating_add(Duration::from_secs(10))));
        assert_eq!(time.now(Duration::from_secs(3605)), None);
        headers.insert(header::DATE, "yesterday".parse().unwrap());
        time.learn(&headers, Duration::from_secs(20));
        assert!(time.now(Duration::from_secs(20)).is_some());
    }
}
