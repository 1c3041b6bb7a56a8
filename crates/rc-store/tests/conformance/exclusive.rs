//! A place that one handle at a time may open, and whose handles can be ended from outside.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rc_store::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey,
    StoreError, Stored, TokenStore, Version,
};

/// What is there: records, the lock, and how often handles were ended.
#[derive(Debug, Default)]
struct Ground {
    store: MemoryStore,
    locked: AtomicBool,
    ended: AtomicU64,
}

/// A place of an exclusive store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(Arc<Ground>);

impl Place {
    pub(crate) fn open(&self) -> Exclusive {
        let locked = self.0.locked.swap(true, Ordering::SeqCst);
        assert!(!locked, "another handle is open at this place");
        Exclusive {
            place: self.clone(),
            ended: self.0.ended.load(Ordering::SeqCst),
        }
    }

    /// As when the process of the handles is killed: they answer nothing more, and their lock is gone.
    pub(crate) fn end_handles(&self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        self.0.locked.store(false, Ordering::SeqCst);
    }
}

/// The one handle of a place.
#[derive(Debug)]
pub(crate) struct Exclusive {
    place: Place,
    ended: u64,
}

impl Exclusive {
    fn has_ended(&self) -> bool {
        self.place.0.ended.load(Ordering::SeqCst) != self.ended
    }

    /// A call takes effect, or not, before the handle ends; its answer is lost after that.
    fn until_it_ends<'a, T: Send + 'a>(
        &'a self,
        call: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.has_ended() {
                return Err(StoreError::unavailable("the handle has ended"));
            }
            let answer = call.await;
            tokio::task::yield_now().await;
            match self.has_ended() {
                true => Err(StoreError::unavailable("the handle has ended")),
                false => answer,
            }
        })
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.place.0.locked.store(false, Ordering::SeqCst);
        }
    }
}

impl TokenStore for Exclusive {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.until_it_ends(self.place.0.store.load(key))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.until_it_ends(self.place.0.store.save(key, payload, due, expect))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.until_it_ends(self.place.0.store.delete(key, expect))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        self.until_it_ends(self.place.0.store.due(after, before, limit))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.until_it_ends(self.place.0.store.scan(after, limit))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.until_it_ends(self.place.0.store.versions(keys))
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.place.0.store.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.until_it_ends(self.place.0.store.health())
    }
}
