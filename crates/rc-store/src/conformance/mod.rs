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
//! Put several lines into modules of their own. Checks run on a Tokio runtime of two threads and fail
//! after a minute. Those of [`changes`](TokenStore::changes) wait, some for seconds, and pass at once where
//! it is `None`.

#[doc(hidden)]
pub mod checks;
mod macros;
mod steps;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::TokenStore;

const CHECK_LIMIT: Duration = Duration::from_secs(60);

type Opening<'a> = Pin<Box<dyn Future<Output = Arc<dyn TokenStore>> + 'a>>;

/// What a check is about: opens handles on one place.
#[doc(hidden)]
pub struct Subject<'a> {
    open: Box<dyn Fn() -> Opening<'a> + 'a>,
}

impl Subject<'_> {
    async fn open(&self) -> Arc<dyn TokenStore> {
        (self.open)().await
    }
}

/// Runs one check at a new place.
#[doc(hidden)]
pub fn run<P, S: TokenStore + 'static>(
    place: impl FnOnce() -> P,
    open: impl AsyncFn(&P) -> S,
    check: impl AsyncFnOnce(Subject<'_>),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a Tokio runtime");
    run_on(&runtime, place, open, check);
}

/// Runs one check at a new place, on a runtime that has a timer.
#[doc(hidden)]
pub fn run_on<P, S: TokenStore + 'static>(
    runtime: &tokio::runtime::Runtime,
    place: impl FnOnce() -> P,
    open: impl AsyncFn(&P) -> S,
    check: impl AsyncFnOnce(Subject<'_>),
) {
    let place = place();
    runtime.block_on(async {
        let (place, open) = (&place, &open);
        let open = Box::new(move || -> Opening<'_> {
            Box::pin(async move { Arc::new(open(place).await) as _ })
        });
        let check = tokio::time::timeout(CHECK_LIMIT, check(Subject { open }));
        check
            .await
            .expect("the check takes less than a minute: some call hangs");
    });
}
