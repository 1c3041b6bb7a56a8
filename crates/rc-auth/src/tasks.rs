//! The tasks of a client: each runs in its environment, is counted, and survives nobody's panic.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::environment::Environment;

/// Spawns tasks and waits for them.
#[derive(Debug)]
pub(crate) struct Tasks {
    environment: Arc<dyn Environment>,
    tracker: TaskTracker,
    /// Says that nothing new is to be begun in the background.
    pub(crate) closing: CancellationToken,
    /// Ends background tasks when the last handle of the client goes away.
    _at_last: DropGuard,
}

/// Somebody else's code panicked. What it said is not repeated: it may hold a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

/// Runs a future of somebody else's code, such as a store's, and turns a panic into an error.
pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .map_err(|_| Panicked)
}

/// A lock that a panic elsewhere does not make unusable: what it guards is whole after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    pub(crate) fn new(environment: Arc<dyn Environment>) -> Self {
        let closing = CancellationToken::new();
        Self {
            environment,
            tracker: TaskTracker::new(),
            _at_last: closing.clone().drop_guard(),
            closing,
        }
    }

    /// Runs `task` to its end. A panic is logged and ends this task only.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let supervised = async move {
            if guarded(task).await.is_err() {
                tracing::error!(task = name, "a background task panicked");
            }
        };
        self.environment
            .spawn(Box::pin(self.tracker.track_future(supervised)));
    }

    /// Runs `task` to its end, whether or not anybody waits for what comes of it. The receiver fails if
    /// the task panicked.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        task: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        self.spawn(name, async move {
            // Whoever waited may have gone away.
            let _ = done.send(task.await);
        });
        result
    }

    /// Ends once no task is left.
    pub(crate) async fn all_done(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
