//! A store that yields at every step, counts what is done with owners' indexes, and refuses or hangs on demand.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::Poll,
};

use rc_auth::{
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey, StoreError,
        Stored, TokenStore, Version,
    },
    transport::BoxFuture,
};

#[derive(Debug)]
pub struct Watched {
    inner: Arc<MemoryStore>,
    pub refuses_indexes: AtomicBool,
    pub hangs_on_grants: AtomicBool,
    pub indexes_loaded: AtomicU32,
    pub indexes_saved: AtomicU32,
    pub conflicts: AtomicU32,
    index: RecordKey,
}

impl Watched {
    /// `index`: the record whose loads are counted.
    pub fn new(index: RecordKey) -> Self {
        Self {
            inner: Arc::new(MemoryStore::new()),
            refuses_indexes: AtomicBool::new(false),
            hangs_on_grants: AtomicBool::new(false),
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

impl TokenStore for Watched {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move {
            self.indexes_loaded
                .fetch_add(u32::from(*key == self.index), Relaxed);
            step_aside().await;
            self.inner.load(key).await
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let text = String::from_utf8_lossy(payload).into_owned();
            step_aside().await;
            if *key == self.index && self.refuses_indexes.load(Relaxed) {
                return Err(StoreError::unavailable("no indexes today"));
            }
            if text.contains("\"grant\"") && self.hangs_on_grants.load(Relaxed) {
                std::future::pending::<()>().await;
            }
            let saved = self.inner.save(key, payload, due, expect).await;
            if *key == self.index {
                self.indexes_saved.fetch_add(1, Relaxed);
                let conflict = matches!(saved, Err(StoreError::Conflict));
                self.conflicts.fetch_add(u32::from(conflict), Relaxed);
            }
            saved
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(key, expect)
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        self.inner.due(after, before, limit)
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.inner.scan(after, limit)
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.inner.versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.inner.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.health()
    }
}
