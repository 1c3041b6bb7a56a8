//! The store.

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rc_store::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, RecordKey,
    StoreError, Stored, TokenStore, Version,
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout_at,
};

use crate::{
    OpenError, changes,
    error::{Fault, not_written},
    folder::Folder,
    record,
};

/// How long a call waits for the lock: longer than any writer holds it, and short enough to be told soon.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// Above this nobody waits on purpose.
const LONGEST_LIMIT: Duration = Duration::from_secs(3600);

/// Records in a folder, one file each; for up to 1,000 of them. Clones share the folder.
///
/// Payloads are stored as they are given: put [`Sealed`](rc_store::Sealed) around it. Any number of
/// processes of one machine may open the same folder. Writes and listings take turns under a lock between
/// processes and wait at most 10 s for it; [`load`](TokenStore::load) and
/// [`versions`](TokenStore::versions) do not wait. One call of [`scan`](TokenStore::scan) returns at most
/// 100 records.
///
/// [`changes`](TokenStore::changes) reads a small file four times a second and yields a
/// [`Change::Gap`](rc_store::Change::Gap) when it has changed, and at its start. It ends within a quarter
/// of a second after the last clone was dropped. All of it needs a Tokio runtime with a timer.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

/// What streams of changes keep a weak reference to.
pub(crate) struct Shared {
    folder: Arc<Folder>,
    /// Writers of this process queue here in their order instead of polling the lock; and only one of them
    /// takes a thread. Correctness does not depend on it.
    turn: Arc<Mutex<()>>,
}

impl FileStore {
    /// Opens the folder, and makes it (mode 0700) and those above it where they are missing.
    ///
    /// Waits at most 10 s for a process that is writing. Files that a killed process left half written are
    /// removed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong with the folder, and what to do.
    pub async fn open(folder: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::open_within(folder, LOCK_LIMIT).await
    }

    /// As [`open`](Self::open); it and all later calls wait `limit` for the lock, instead of 10 s.
    /// An hour at most.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_within(
        folder: impl Into<PathBuf>,
        limit: Duration,
    ) -> Result<Self, OpenError> {
        let path = folder.into();
        let tried = path.clone();
        let limit = limit.min(LONGEST_LIMIT);
        let folder = spawn_blocking(move || Folder::open(&path, limit)).await;
        let folder = folder.map_err(|error| Fault::io("open", &tried)(error.into()))??;
        Ok(Self {
            shared: Arc::new(Shared {
                folder: Arc::new(folder),
                turn: Arc::default(),
            }),
        })
    }

    fn folder(&self) -> Arc<Folder> {
        Arc::clone(&self.shared.folder)
    }

    /// Reads without the lock.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = self.folder();
        let answer = spawn_blocking(move || work(&folder)).await;
        answer.map_err(StoreError::unavailable)?
    }

    /// Works under the lock. If this future is dropped, work that has begun goes on to its end, under the
    /// lock still.
    async fn locked<T: Send + 'static>(
        &self,
        refused: fn(Fault) -> StoreError,
        work: impl FnOnce(&Folder) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = self.folder();
        let until = Instant::now() + folder.limit();
        let turn = self.turn(until).await.map_err(refused)?;
        let answer = spawn_blocking(move || {
            let _turn = turn;
            let _lock = folder.lock(until).map_err(refused)?;
            work(&folder)
        });
        answer.await.map_err(StoreError::unavailable)?
    }

    async fn turn(&self, until: Instant) -> Result<OwnedMutexGuard<()>, Fault> {
        let turn = Arc::clone(&self.shared.turn).lock_owned();
        let turn = timeout_at(until.into(), turn).await;
        turn.map_err(|_elapsed| self.shared.folder.locked_out())
    }
}

impl Shared {
    pub(crate) fn folder(&self) -> Arc<Folder> {
        Arc::clone(&self.folder)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("folder", &self.shared.folder.path())
            .finish_non_exhaustive()
    }
}

impl TokenStore for FileStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let key = *key;
        Box::pin(self.read(move |folder| folder.load(&key)))
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
            let key = *key;
            let version = Version::random()?;
            let bytes = record::encode(&key, version, due, payload);
            self.locked(not_written, move |folder| folder.save(&key, &bytes, expect))
                .await?;
            Ok(version)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = *key;
        Box::pin(self.locked(not_written, move |folder| folder.delete(&key, expect)))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        Box::pin(self.locked(StoreError::unavailable, move |folder| {
            let due = folder.due(after, before, limit);
            due.map_err(StoreError::unavailable)
        }))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(self.locked(StoreError::unavailable, move |folder| {
            folder.scan(after, limit).map_err(StoreError::unavailable)
        }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        let keys = keys.to_vec();
        Box::pin(self.read(move |folder| folder.versions(&keys)))
    }

    fn changes(&self) -> Option<ChangeStream> {
        Some(changes::stream(&self.shared))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.locked(not_written, |folder| folder.probe().map_err(not_written)))
    }
}
