//! Records in the memory of this process.

mod readers;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use zeroize::Zeroizing;

use self::readers::Readers;
use crate::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, RecordKey,
    StoreError, Stored, TokenStore, Version,
};

/// Keeps records in the memory of this process. **Not durable**: they are gone when it is dropped, and
/// users then have to sign in again; so for tests, and for tools that live shorter than a token.
///
/// Share one store between tasks with [`Arc`](std::sync::Arc). Payloads are wiped when they are replaced,
/// deleted, or the store is dropped. `Debug` shows how many records there are.
///
/// [`changes`](TokenStore::changes) names every write at once. A reader who is behind by more than 1,000
/// records gets a [`Change::Gap`](crate::Change::Gap) instead.
///
/// ```
/// use rc_store::{Expect, MemoryStore, RecordKey, StoreError, TokenStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let key = RecordKey::derive(&[b"user-42"]);
/// store.save(&key, b"first", None, Expect::Absent).await?;
/// let second = store.save(&key, b"second", None, Expect::Absent).await;
/// assert!(matches!(second, Err(StoreError::Conflict)));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryStore {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    records: BTreeMap<RecordKey, Stored>,
    due: BTreeSet<DueCursor>,
    readers: Readers,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // Nothing that runs under the lock leaves the two maps apart when it panics.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes records under the lock and then wakes who reads the changes.
    fn write(
        &self,
        change: impl FnOnce(&mut Shelf) -> Result<Vec<Waker>, StoreError>,
    ) -> Result<(), StoreError> {
        let wakers = change(&mut self.shelf())?;
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Shelf {
    fn check(&self, key: &RecordKey, expect: Expect) -> Result<(), StoreError> {
        match (self.records.get(key), expect) {
            (None, Expect::Absent) => Ok(()),
            (Some(stored), Expect::Version(version)) if stored.version == version => Ok(()),
            _ => Err(StoreError::Conflict),
        }
    }

    /// Who is returned is to be woken, once the lock is released.
    fn put(&mut self, key: RecordKey, stored: Stored) -> Vec<Waker> {
        let (due, version) = (stored.due, stored.version);
        self.forget_due(&key);
        self.records.insert(key, stored);
        self.due.extend(due.map(|due| DueCursor { due, key }));
        self.readers.tell(key, Some(version))
    }

    /// Who is returned is to be woken, once the lock is released.
    fn take(&mut self, key: &RecordKey) -> Vec<Waker> {
        self.forget_due(key);
        self.records.remove(key);
        self.readers.tell(*key, None)
    }

    fn forget_due(&mut self, key: &RecordKey) {
        if let Some(due) = self.records.get(key).and_then(|stored| stored.due) {
            self.due.remove(&DueCursor { due, key: *key });
        }
    }
}

impl TokenStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move { Ok(self.shelf().records.get(key).cloned()) })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            if payload.len() > MAX_PAYLOAD {
                return Err(StoreError::TooLarge {
                    size: payload.len(),
                    limit: MAX_PAYLOAD,
                });
            }
            let version = Version::random()?;
            let payload = Zeroizing::new(payload.to_vec());
            let stored = Stored {
                payload,
                version,
                due,
            };
            self.write(|shelf| {
                shelf.check(key, expect)?;
                Ok(shelf.put(*key, stored))
            })?;
            Ok(version)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.write(|shelf| {
                shelf.check(key, Expect::Version(expect))?;
                Ok(shelf.take(key))
            })
        })
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        Box::pin(async move {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let shelf = self.shelf();
            let due = shelf.due.range((start, Bound::Unbounded));
            let due = due.take_while(|at| at.due <= before).take(limit);
            Ok(due
                .map(|at| Due {
                    key: at.key,
                    due: at.due,
                })
                .collect())
        })
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let shelf = self.shelf();
            let records = shelf.records.range((start, Bound::Unbounded)).take(limit);
            Ok(records
                .map(|(key, stored)| Listed {
                    key: *key,
                    stored: Ok(stored.clone()),
                })
                .collect())
        })
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        Box::pin(async move {
            let shelf = self.shelf();
            let version = |key| shelf.records.get(key).map(|stored| stored.version);
            Ok(keys.iter().map(version).collect())
        })
    }

    fn changes(&self) -> Option<ChangeStream> {
        Some(self.shelf().readers.add())
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.shelf().records.len())
            .finish()
    }
}
