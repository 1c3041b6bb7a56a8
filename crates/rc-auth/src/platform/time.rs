//! What time the platform says it is: a second opinion before anything is ended by the clock.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use rc_auth_core::Timestamp;
use rc_http::Outgoing;

use crate::{
    error::ErrorChain,
    tasks::{guarded, lock},
};

/// How old the platform's word may be.
const TRUSTED_FOR: Duration = Duration::from_secs(3600);

/// How often an answer to a call is asked for the time.
const LEARN_EVERY: Duration = Duration::from_secs(60);

/// In whole seconds (monotonic).
fn next_lesson(now: Duration) -> u64 {
    (now + LEARN_EVERY).as_secs()
}

/// How often the platform is asked for the time at most, where nothing else is sent to it.
const ASK_EVERY: Duration = Duration::from_secs(600);
/// How long that may take.
const ASK_FOR: Duration = Duration::from_secs(10);

/// What the platform has said of the time.
#[derive(Debug, Default)]
pub(crate) struct PlatformTime {
    /// Its last `Date`, and when it came (monotonic).
    told: Option<(Timestamp, Duration)>,
    /// When it was last asked (monotonic).
    asked: Option<Duration>,
}

impl PlatformTime {
    fn learn(&mut self, headers: &HeaderMap, now: Duration) {
        let date = headers.get(header::DATE);
        let date = date
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok());
        if let Some(millis) = date {
            self.told = Some((Timestamp::from_unix_millis(millis), now));
        }
    }

    fn now(&self, now: Duration) -> Option<Timestamp> {
        let (date, came) = self.told?;
        let age = now.saturating_sub(came);
        (age < TRUSTED_FOR).then(|| date.saturating_add(age))
    }

    /// Whether it may be asked now; notes that it is.
    fn may_ask(&mut self, now: Duration) -> bool {
        let may = self.asked.is_none_or(|asked| now >= asked + ASK_EVERY);
        if may {
            self.asked = Some(now);
        }
        may
    }
}

impl super::Platform {
    pub(crate) fn learn_time(&self, headers: &HeaderMap) {
        let now = self.environment.now().mono;
        lock(&self.time).learn(headers, now);
        self.learn_time_at
            .store(next_lesson(now), Ordering::Relaxed);
    }

    /// As [`learn_time`](Self::learn_time), once a minute: for answers that come by the thousand.
    pub(crate) fn learn_time_from_call(&self, headers: &HeaderMap, began: Duration) {
        if began.as_secs() >= self.learn_time_at.load(Ordering::Relaxed) {
            self.learn_time(headers);
        }
    }

    /// Whether `moment` is over by this process's clock and by the platform's, which is asked where it has
    /// said nothing in the last hour. As long as it says nothing, nothing is over.
    pub(crate) async fn is_surely_over(&self, moment: Timestamp) -> bool {
        if moment > self.environment.wall() {
            return false;
        }
        let now = self.environment.now().mono;
        let told = lock(&self.time).now(now);
        if told.is_none() && lock(&self.time).may_ask(now) {
            self.ask_time().await;
        }
        let now = self.environment.now().mono;
        let told = lock(&self.time).now(now);
        told.is_some_and(|platform| moment <= platform)
    }

    /// Any answer will do, also one that refuses: its `Date` is what counts.
    async fn ask_time(&self) {
        let mut request = Request::new(Bytes::new());
        match format!("{}/restapi", self.app.server()).parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return,
        }
        let outgoing = Outgoing::new(request).deadline(ASK_FOR);
        match guarded(self.oauth_http.send(outgoing)).await {
            Ok(Ok(incoming)) => self.learn_time(&incoming.headers),
            Ok(Err(error)) => {
                tracing::debug!(error = %ErrorChain(&error), "the platform does not tell the time");
            }
            Err(_) => tracing::error!("the transport panicked"),
        }
    }
}

#[cfg(all(test, feature = "simulated-environment"))]
mod tests {
    use std::sync::Arc;

    use rc_auth_core::{AuthBudget, OAuthApp};
    use rc_http::{BoxFuture, HttpClient, Incoming, TransportError};

    use super::{super::Platform, *};
    use crate::environment::SimulatedWorld;

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

    #[test]
    fn the_platform_is_asked_every_ten_minutes_at_most() {
        let mut time = PlatformTime::default();
        let asked = [0, 1, 599, 600, 601, 1200].map(|at| time.may_ask(Duration::from_secs(at)));
        assert_eq!(asked, [true, false, false, true, false, true]);
    }

    #[derive(Debug)]
    struct Unused;

    impl HttpClient for Unused {
        fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
            unreachable!("nothing is sent")
        }
    }

    #[test]
    fn answers_to_calls_tell_the_time_once_a_minute() {
        let callback = "https://app.example.com/oauth/callback";
        let app = OAuthApp::new("id", None, callback, OAuthApp::DEFAULT_SERVER).unwrap();
        let process = SimulatedWorld::new(1).process();
        let platform = Platform::new(
            Arc::new(app),
            AuthBudget::Off,
            Arc::new(Unused),
            Arc::new(Unused),
            Arc::new(process),
        );
        let told = |date: &str| {
            let headers = HeaderMap::from_iter([(header::DATE, date.parse().unwrap())]);
            let now = platform.environment.now().mono;
            platform.learn_time_from_call(&headers, now);
            lock(&platform.time)
                .told
                .map(|(told, _)| told.unix_millis())
        };
        let first = told("Fri, 15 Jan 2027 08:00:00 GMT");
        assert_eq!(first, Some(1_800_000_000_000));
        assert_eq!(told("Fri, 15 Jan 2027 08:00:01 GMT"), first);
    }
}
