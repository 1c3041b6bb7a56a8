//! A store that yields at every step, counts what is done with owners' indexes, and refuses or hangs on demand.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]

use std::{
    future::poll_fn,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::Poll,
};

use rc_auth::{
    store::{MemoryStore, RecordKey, StoreError, Stored, TokenStore, Version},
    transport::BoxFuture,
};

use crate::altered::{Alteration, Write};

#[derive(Debug)]
pub struct Watched {
    inner: MemoryStore,
    pub refuses_indexes: AtomicBool,
    pub hangs_on_grants: AtomicBool,
    /// The record that cannot be written to.
    pub refused: Mutex<Option<RecordKey>>,
    pub indexes_loaded: AtomicU32,
    pub indexes_saved: AtomicU32,
    pub conflicts: AtomicU32,
    index: RecordKey,
}

impl Watched {
    /// `index`: the record whose loads are counted.
    pub fn new(index: RecordKey) -> Self {
        Self {
            inner: MemoryStore::new(),
            refuses_indexes: AtomicBool::new(false),
            hangs_on_grants: AtomicBool::new(false),
            refused: Mutex::new(None),
            indexes_loaded: AtomicU32::new(0),
            indexes_saved: AtomicU32::new(0),
            conflicts: AtomicU32::new(0),
            index,
        }
    }
}

/// Lets everybody else do a step.
async fn step_aside() {
    let mut done = false;
    poll_fn(|context| {
        if std::mem::replace(&mut done, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Alteration for Watched {
    fn inner(&self) -> &dyn TokenStore {
        &self.inner
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move {
            self.indexes_loaded
                .fetch_add(u32::from(*key == self.index), Relaxed);
            step_aside().await;
            self.inner.load(key).await
        })
    }

    fn save<'a>(&'a self, write: Write<'a>) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let is_index = *write.key == self.index;
            let text = String::from_utf8_lossy(write.payload).into_owned();
            step_aside().await;
            if is_index && self.refuses_indexes.load(Relaxed) {
                return Err(StoreError::unavailable("no indexes today"));
            }
            if *self.refused.lock().unwrap() == Some(*write.key) {
                return Err(StoreError::unavailable("not this one"));
            }
            if text.contains("\"grant\"") && self.hangs_on_grants.load(Relaxed) {
                std::future::pending::<()>().await;
            }
            let saved = write.to(&self.inner).await;
            if is_index {
                self.indexes_saved.fetch_add(1, Relaxed);
                let conflict = matches!(saved, Err(StoreError::Conflict));
                self.conflicts.fetch_add(u32::from(conflict), Relaxed);
            }
            saved
        })
    }
}
