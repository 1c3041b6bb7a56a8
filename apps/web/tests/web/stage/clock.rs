//! A clock that tests set forward.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rc_auth::{Clock, Now, SystemClock, Timestamp, transport::BoxFuture};

/// The system's clocks, some time ahead.
#[derive(Debug, Default)]
pub struct TestClock {
    system: SystemClock,
    ahead_millis: AtomicU64,
}

impl TestClock {
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("less than the age of the universe");
        self.ahead_millis.fetch_add(millis, Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_millis.load(Ordering::SeqCst))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let now = self.system.now();
        Now {
            wall: self.wall(),
            mono: now.mono + self.ahead(),
        }
    }

    fn wall(&self) -> Timestamp {
        self.system.wall().saturating_add(self.ahead())
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'_, ()> {
        self.system.sleep_until(mono.saturating_sub(self.ahead()))
    }
}
