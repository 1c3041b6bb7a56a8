//! The conformance kit: the contract of [`TokenStore`] as tests, for authors of stores.
//!
//! One line makes one `#[test]` per check, named by the property it checks:
//!
//! ```
//! use rc_store::MemoryStore;
//!
//! /// Every call makes a new, empty store.
//! async fn open() -> MemoryStore {
//!     MemoryStore::new()
//! }
//!
//! rc_store::token_store_tests!(open);
//! # fn main() {}
//! ```
//!
//! A store that can be opened several times at one place (a file, a database) names a function that
//! makes a new, empty place, and opens its store there. Then the checks of several handles and of
//! reopening run too. What the place returns is dropped when its check ends:
//!
//! ```
//! use std::sync::Arc;
//! use rc_store::MemoryStore;
//!
//! fn new_place() -> Arc<MemoryStore> {
//!     Arc::default()
//! }
//!
//! async fn open(place: &Arc<MemoryStore>) -> Arc<MemoryStore> {
//!     Arc::clone(place)
//! }
//!
//! rc_store::token_store_tests!(open, at = new_place);
//! # fn main() {}
//! ```
//!
//! A store that can be opened once at a time (an engine that locks its file) names `reopen` instead of
//! `at`: only the checks that drop one handle before they open the next run beside those of one handle.
//!
//! Words tell what more a store can do, and name functions by which the kit sees what it cannot provoke
//! by itself. They follow `at` or `reopen` in any order; `notifying` may follow `open` alone too. The test
//! `skipped_checks` prints which checks a line does not run, and the word that would run them.
//!
//! | Word | The store is | Runs |
//! |---|---|---|
//! | `at = new_place` | durable and shared | the checks of several handles and of reopening |
//! | `reopen = new_place` | durable and exclusive | the checks of reopening |
//! | `notifying` | one that tells changes | a check that `changes` is not `None` |
//! | `fault = function` | | checks while the backend fails, and after that |
//! | `damage = function` | | checks of a record that cannot be read |
//! | `crash = function` | | a check of what is left after every handle has ended abruptly |
//!
//! ```
//! # use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
//! # use rc_store::{MemoryStore, RecordKey};
//! # #[derive(Default)]
//! # struct Place { store: Arc<MemoryStore>, down: AtomicBool }
//! # fn new_place() -> Place { Place::default() }
//! # async fn open(place: &Place) -> Arc<MemoryStore> { Arc::clone(&place.store) }
//! /// Makes the backend fail (`true`), or work again (`false`): stop the server, take the file away.
//! async fn fault(place: &Place, down: bool) {
//!     place.down.store(down, Ordering::SeqCst);
//! }
//!
//! /// Makes one record unreadable behind the back of the store: overwrite its payload.
//! async fn damage(place: &Place, key: &RecordKey) {
//! #   let _ = (place, key);
//! }
//!
//! /// Ends every handle abruptly while it writes: kill the server, or the process that holds the file.
//! /// The kit drops its handles then and opens new ones.
//! async fn crash(place: &Place) {
//! #   let _ = place;
//! }
//!
//! # mod shown_only { use super::*;
//! # macro_rules! token_store_tests { ($($line:tt)*) => {} }
//! token_store_tests!(open, at = new_place, notifying, fault = fault, damage = damage, crash = crash);
//! # }
//! # fn main() {}
//! ```
//!
//! The hooks of an engine that only one handle may open cannot open it beside the store under test. Let
//! `open` leave at the place what they need (a clone of the engine's own handle), and write the line in a
//! unit test, where that is visible.
//!
//! Put several lines into modules of their own. Each check is a test, and a second one in the module
//! `slow`, where each step of a call yields and takes a millisecond: many faults show only when calls
//! overlap. A few checks of thousands of writes do their work once; their second test passes at
//! once. The functions have to be in scope by a simple name.
//!
//! Checks run on a Tokio runtime of two threads and fail after a minute (`RC_STORE_CHECK_SECONDS` sets
//! another time), naming the calls that were not answered. A call that blocks its thread for ever cannot
//! be failed alone: the test process then says so and ends. Checks of [`changes`](TokenStore::changes) wait, some for seconds, and pass at once where it
//! is `None`.

#[doc(hidden)]
pub mod checks;
mod macros;
mod skipped;
mod steps;
mod watched;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use tokio::runtime::Runtime;

use self::watched::{Calls, Watched};
use crate::{RecordKey, TokenStore};

#[doc(hidden)]
pub use self::{skipped::skipped, watched::Pace};

/// How long a check may take, in seconds, where `RC_STORE_CHECK_SECONDS` says nothing else.
const CHECK_SECONDS: u64 = 60;

fn check_limit() -> Duration {
    let set = std::env::var("RC_STORE_CHECK_SECONDS").ok();
    let seconds = set.and_then(|set| set.parse().ok().filter(|seconds| *seconds > 0));
    Duration::from_secs(seconds.unwrap_or(CHECK_SECONDS))
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

type Damage<'a> = Box<dyn Fn(RecordKey) -> Pending<'a, ()> + 'a>;

/// What a check is about: opens handles on one place, and breaks it if the author said how.
#[doc(hidden)]
pub struct Subject<'a> {
    open: Box<dyn Fn() -> Pending<'a, Arc<dyn TokenStore>> + 'a>,
    fault: Option<Box<dyn Fn(bool) -> Pending<'a, ()> + 'a>>,
    damage: Option<Damage<'a>>,
    crash: Option<Box<dyn Fn() -> Pending<'a, ()> + 'a>>,
    calls: Calls,
    pace: Pace,
}

impl Subject<'_> {
    async fn open(&self) -> Arc<dyn TokenStore> {
        self.watched(self.open_bare().await)
    }

    /// The same handle, with what stands between.
    fn watched(&self, store: Arc<dyn TokenStore>) -> Arc<dyn TokenStore> {
        Arc::new(Watched {
            store,
            calls: self.calls.clone(),
            pace: self.pace,
        })
    }

    /// A handle with nothing between, for races that a few instructions more would hide.
    async fn open_bare(&self) -> Arc<dyn TokenStore> {
        (self.open)().await
    }

    /// Makes the backend fail, or work again.
    async fn fail(&self, down: bool) {
        let fault = self.fault.as_ref().expect("the line names `fault`");
        fault(down).await;
    }

    /// Makes one record unreadable.
    async fn damage(&self, key: RecordKey) {
        let damage = self.damage.as_ref().expect("the line names `damage`");
        damage(key).await;
    }

    /// Ends every handle abruptly.
    async fn crash(&self) {
        let crash = self.crash.as_ref().expect("the line names `crash`");
        crash().await;
    }
}

/// A place of a store, and what can be done to it.
#[doc(hidden)]
pub struct Site<'a, P> {
    place: &'a P,
    subject: Subject<'a>,
}

impl<'a, P> Site<'a, P> {
    fn new<S: TokenStore + 'static>(
        place: &'a P,
        open: &'a impl AsyncFn(&P) -> S,
        pace: Pace,
    ) -> Self {
        let open = Box::new(move || -> Pending<'a, Arc<dyn TokenStore>> {
            Box::pin(async move { Arc::new(open(place).await) as _ })
        });
        let subject = Subject {
            open,
            fault: None,
            damage: None,
            crash: None,
            calls: Calls::default(),
            pace,
        };
        Self { place, subject }
    }

    /// With a function that makes the backend fail (`true`) and work again (`false`).
    #[must_use]
    pub fn with_fault(mut self, fault: &'a impl AsyncFn(&P, bool)) -> Self {
        let place = self.place;
        self.subject.fault = Some(Box::new(move |down| Box::pin(fault(place, down))));
        self
    }

    /// With a function that makes one record unreadable.
    #[must_use]
    pub fn with_damage(mut self, damage: &'a impl AsyncFn(&P, &RecordKey)) -> Self {
        let place = self.place;
        let damage =
            move |key| -> Pending<'a, ()> { Box::pin(async move { damage(place, &key).await }) };
        self.subject.damage = Some(Box::new(damage));
        self
    }

    /// With a function that ends every handle abruptly.
    #[must_use]
    pub fn with_crash(mut self, crash: &'a impl AsyncFn(&P)) -> Self {
        let place = self.place;
        self.subject.crash = Some(Box::new(move || Box::pin(crash(place))));
        self
    }
}

/// Runs one check at a new place.
#[doc(hidden)]
pub fn run<P, S: TokenStore + 'static>(
    pace: Pace,
    place: impl FnOnce() -> P,
    open: impl AsyncFn(&P) -> S,
    hooks: impl for<'a> FnOnce(Site<'a, P>) -> Site<'a, P>,
    check: impl AsyncFnOnce(Subject<'_>),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a Tokio runtime");
    let runtime = Ending(Some(runtime));
    let running = runtime.0.as_ref().expect("it has not ended");
    run_on(running, pace, place, open, hooks, check);
}

/// A runtime that does not wait for what hangs, not after a panic either.
struct Ending(Option<Runtime>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs one check at a new place, on a runtime that has a timer.
#[doc(hidden)]
pub fn run_on<P, S: TokenStore + 'static>(
    runtime: &Runtime,
    pace: Pace,
    place: impl FnOnce() -> P,
    open: impl AsyncFn(&P) -> S,
    hooks: impl for<'a> FnOnce(Site<'a, P>) -> Site<'a, P>,
    check: impl AsyncFnOnce(Subject<'_>),
) {
    let place = place();
    runtime.block_on(async {
        let Site { subject, .. } = hooks(Site::new(&place, &open, pace));
        let calls = subject.calls.clone();
        let limit = check_limit();
        let _ends_first = watchdog(calls.clone(), limit);
        // Not dropped before the message is made: a dropped call counts as answered.
        let mut check = std::pin::pin!(check(subject));
        let check = tokio::time::timeout(limit, check.as_mut()).await;
        assert!(
            check.is_ok(),
            "the check did not end in {limit:?}; {}",
            calls.unanswered()
        );
    });
}

/// Ends the process if the returned sender is still there long after the limit: then a call blocks the
/// thread that would have failed the check.
fn watchdog(calls: Calls, limit: Duration) -> mpsc::Sender<()> {
    let (alive, ended) = mpsc::channel();
    thread::spawn(move || {
        // A check that can notice its limit does so well before.
        let limit = limit + limit / 4;
        if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!(
                "a call blocks its thread for {limit:?}; {}",
                calls.unanswered()
            );
            std::process::exit(101);
        }
    });
    alive
}
