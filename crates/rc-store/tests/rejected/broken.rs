//! What most broken stores share: they answer as a store in memory, except where they override it.

use std::{fmt, sync::Arc};

use rc_store::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey,
    StoreError, Stored, TokenStore, Version,
};

pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// One step of a store that takes time.
pub(crate) async fn step() {
    tokio::task::yield_now().await;
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

/// A place in memory for any number of handles.
pub(crate) type Place = Arc<MemoryStore>;

pub(crate) async fn right(place: &Place) -> Place {
    Arc::clone(place)
}

/// The methods of a store, each by default that of the store in memory.
pub(crate) trait Broken: Send + Sync {
    fn inner(&self) -> &MemoryStore;

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        self.inner().load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        self.inner().save(key, payload, due, expect)
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        self.inner().delete(key, expect)
    }

    fn due(&self, after: Option<DueCursor>, before: DueAt, limit: usize) -> Answer<'_, Vec<Due>> {
        self.inner().due(after, before, limit)
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        self.inner().scan(after, limit)
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        self.inner().versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.inner().changes()
    }

    fn health(&self) -> Answer<'_, ()> {
        self.inner().health()
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

/// A broken store as a store.
pub(crate) struct Through<B>(pub(crate) B);

impl<B: Broken> fmt::Debug for Through<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

impl<B: Broken> TokenStore for Through<B> {
    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        self.0.load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        self.0.save(key, payload, due, expect)
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        self.0.delete(key, expect)
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> Answer<'a, Vec<Due>> {
        self.0.due(after, before, limit)
    }

    fn scan<'a>(&'a self, after: Option<RecordKey>, limit: usize) -> Answer<'a, Vec<Listed>> {
        self.0.scan(after, limit)
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        self.0.versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.0.changes()
    }

    fn health(&self) -> Answer<'_, ()> {
        self.0.health()
    }
}
