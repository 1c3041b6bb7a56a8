//! A clock that tests set forward.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rc_auth::{Environment, NoRandomness, Now, SystemEnvironment, Timestamp, transport::BoxFuture};
use tokio::runtime::Handle;

/// The system's clocks, some time ahead.
#[derive(Debug)]
pub struct TestClock {
    system: SystemEnvironment,
    ahead_millis: AtomicU64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            system: SystemEnvironment::new(Handle::current()),
            ahead_millis: AtomicU64::new(0),
        }
    }
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

impl Environment for TestClock {
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

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()> {
        self.system.sleep_until(mono.saturating_sub(self.ahead()))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.system.spawn(task);
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.system.fill(bytes)
    }
}
