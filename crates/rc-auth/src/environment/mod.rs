//! What a client needs of the process it runs in: tasks, clocks, sleep and randomness.

#[cfg(feature = "simulated-environment")]
mod simulated;

#[cfg(feature = "simulated-environment")]
pub use simulated::{SimulatedProcess, SimulatedWorld};

use std::{fmt, time::Duration};

use rc_auth_core::{Now, Timestamp};
use rc_http::BoxFuture;
use tokio::runtime::Handle;

/// Spawns tasks, tells the time, waits, and draws random numbers.
///
/// [`SystemEnvironment`] is what production uses. Tests bring one whose time they move, whose tasks they
/// can end, and whose numbers follow a seed.
pub trait Environment: fmt::Debug + Send + Sync {
    /// Both clocks.
    fn now(&self) -> Now;

    /// The wall clock alone, which is all that a call with a fresh token looks at.
    fn wall(&self) -> Timestamp {
        self.now().wall
    }

    /// Waits until a moment of [`Now::mono`]; at once if it is over.
    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()>;

    /// Runs a task in the background. It must go on when the task or thread that spawned it ends.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Fills `bytes` with random numbers that cannot be guessed.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when there are none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The operating system gives no random numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct NoRandomness;

/// A tokio runtime, the clocks of the operating system, and its random numbers.
///
/// Tasks and timers belong to the runtime it was made with, whoever calls: a web server's worker, whose
/// own runtime ends before the process does, may call and go away. Time spent in suspend counts where
/// the system tells it (Linux: `CLOCK_BOOTTIME`).
#[derive(Clone, Debug)]
pub struct SystemEnvironment {
    runtime: Handle,
}

impl SystemEnvironment {
    /// Runs on `runtime`, which must outlive the client.
    #[must_use]
    pub const fn new(runtime: Handle) -> Self {
        Self { runtime }
    }

    /// Runs on the runtime of the caller; `None` outside of one.
    #[must_use]
    pub fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self::new)
    }
}

/// A suspended machine wakes up late by the time it slept; no timer sleeps longer than this at once.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);

impl Environment for SystemEnvironment {
    fn now(&self) -> Now {
        Now {
            wall: self.wall(),
            mono: since_boot(),
        }
    }

    fn wall(&self) -> Timestamp {
        since_1970()
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()> {
        let runtime = self.runtime.clone();
        Box::pin(async move {
            loop {
                let left = mono.saturating_sub(since_boot());
                if left.is_zero() {
                    return;
                }
                let sleep = {
                    let _inside = runtime.enter();
                    tokio::time::sleep(left.min(LONGEST_SLEEP))
                };
                sleep.await;
            }
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// To some milliseconds, for a third of the price of the exact time: every call asks for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_1970() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let millis = time.tv_nsec / 1_000_000;
    Timestamp::from_unix_millis(time.tv_sec.saturating_mul(1000).saturating_add(millis))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_1970() -> Timestamp {
    use std::time::{SystemTime, UNIX_EPOCH};
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
        }
    };
    Timestamp::from_unix_millis(millis)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    use std::{sync::OnceLock, time::Instant};
    static STARTED: OnceLock<Instant> = OnceLock::new();
    STARTED.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_outlives_the_runtime_that_asked_for_it() {
        let runtime = || tokio::runtime::Builder::new_multi_thread();
        let own = runtime().enable_time().build().unwrap();
        let (done, was_done) = std::sync::mpsc::channel();
        let worker = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let environment = SystemEnvironment::new(own.handle().clone());
        worker.block_on(async {
            let inner = environment.clone();
            environment.spawn(Box::pin(async move {
                inner
                    .sleep_until(inner.now().mono + Duration::from_millis(20))
                    .await;
                done.send(()).unwrap();
            }));
        });
        drop(worker);
        was_done.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn sleeping_needs_no_runtime_of_the_caller() {
        let own = tokio::runtime::Builder::new_multi_thread()
            .enable_time()
            .build()
            .unwrap();
        let environment = SystemEnvironment::new(own.handle().clone());
        let until = environment.now().mono + Duration::from_millis(5);
        futures_util::FutureExt::now_or_never(environment.sleep_until(until));
        let bare = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        bare.block_on(environment.sleep_until(until));
        assert!(environment.now().mono >= until);
    }
}
