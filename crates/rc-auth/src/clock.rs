//! The clocks of a running process.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rc_auth_core::{Now, Timestamp};
use rc_http::BoxFuture;

/// Tells the time, and waits.
///
/// [`SystemClock`] is the default; tests bring one that they set themselves.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present.
    fn now(&self) -> Now;

    /// The wall clock alone, which is all that a call with a fresh token looks at.
    fn wall(&self) -> Timestamp {
        self.now().wall
    }

    /// Waits until a moment of [`Now::mono`]; at once if it is over.
    fn sleep_until(&self, mono: Duration) -> BoxFuture<'_, ()>;
}

/// The clocks of the operating system. Needs a tokio runtime with time.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            wall: self.wall(),
            mono: self.started.elapsed(),
        }
    }

    fn wall(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        };
        Timestamp::from_unix_millis(millis)
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(
            mono.saturating_sub(self.started.elapsed()),
        ))
    }
}
