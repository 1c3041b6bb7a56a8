//! The store as the processes reach it: it takes a while, counts what it reads, and fails before or after a write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rc_auth::{
    Environment as _, SimulatedProcess,
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey, StoreError,
        Stored, TokenStore, Version,
    },
    transport::BoxFuture,
};

use crate::{dice::Dice, wire::elsewhere};

/// What the store does, and has done.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) store: MemoryStore,
    dice: Dice,
    /// How long each operation takes, in microseconds.
    pub(crate) takes: AtomicU64,
    /// How many operations of a thousand fail.
    pub(crate) fails: AtomicU64,
    /// Operations that failed.
    pub(crate) failed: AtomicU64,
    /// Records read.
    pub(crate) loads: AtomicU64,
}

impl Shelf {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            store: MemoryStore::new(),
            dice: Dice::new(seed ^ 0x57),
            takes: AtomicU64::new(2_000),
            fails: AtomicU64::default(),
            failed: AtomicU64::default(),
            loads: AtomicU64::default(),
        }
    }
}

/// The store as one process reaches it.
#[derive(Clone)]
pub(crate) struct FarShelf {
    pub(crate) shelf: Arc<Shelf>,
    /// Carries the operations out, and is never killed.
    pub(crate) there: SimulatedProcess,
}

impl std::fmt::Debug for FarShelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FarShelf")
    }
}

impl FarShelf {
    /// Carries an operation out, unless it fails before that; or afterwards.
    async fn visit<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shelf = self.shelf.clone();
        let takes = Duration::from_micros(shelf.takes.load(Relaxed));
        let there = self.there.clone();
        let all = async move {
            let fails = shelf.dice.strikes(shelf.fails.load(Relaxed));
            shelf.failed.fetch_add(u64::from(fails), Relaxed);
            let failed = || StoreError::unavailable("a fault of the scenario");
            if fails && shelf.dice.roll(2) == 0 {
                return Err(failed());
            }
            let done = work.await;
            if !takes.is_zero() {
                there.sleep_until(there.now().mono + takes).await;
            }
            if fails { Err(failed()) } else { done }
        };
        elsewhere(&self.there, all).await
    }
}

impl TokenStore for FarShelf {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let (shelf, key) = (self.shelf.clone(), *key);
        shelf.loads.fetch_add(1, Relaxed);
        Box::pin(self.visit(async move { shelf.store.load(&key).await }))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (shelf, key, payload) = (self.shelf.clone(), *key, payload.to_vec());
        Box::pin(self.visit(async move { shelf.store.save(&key, &payload, due, expect).await }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (shelf, key) = (self.shelf.clone(), *key);
        Box::pin(self.visit(async move { shelf.store.delete(&key, expect).await }))
    }

    // What is due is asked for every five seconds by every process, for years: without a way to go.
    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        self.shelf.store.due(after, before, limit)
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let shelf = self.shelf.clone();
        Box::pin(self.visit(async move { shelf.store.scan(after, limit).await }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        let (shelf, keys) = (self.shelf.clone(), keys.to_vec());
        Box::pin(self.visit(async move { shelf.store.versions(&keys).await }))
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.shelf.store.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.shelf.store.health()
    }
}
