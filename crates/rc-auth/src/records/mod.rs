//! The records of grants in the store: read, written and deleted, with every failure sorted and logged.

mod format;
pub(crate) mod inventory;
pub(crate) mod mark;
mod owner_index;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use rc_auth_core::{Held, RecordVersion, SaveFailure, Timestamp};
use rc_store::{Due, DueAt, DueCursor, Expect, RecordKey, StoreError, TokenStore, Version};

pub(crate) use self::{
    format::{CodeDigest, Outcome, StoredRecord, UsedState},
    owner_index::{IndexEntry, OwnerIndex},
};
use crate::{
    environment::Environment,
    error::ErrorChain,
    tasks::{guarded, lock},
};

/// A record that cannot be opened is logged once in this time, however often it is looked at.
const LOG_UNREADABLE_EVERY: Duration = Duration::from_secs(3600);

/// The store, and what this process has said about records in it that cannot be opened.
#[derive(Debug)]
pub(crate) struct Records {
    store: Arc<dyn TokenStore>,
    environment: Arc<dyn Environment>,
    unreadable: Mutex<BTreeMap<RecordKey, Duration>>,
}

/// A record as it was read, with the version that a write has to expect.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: StoredRecord,
    pub(crate) version: Version,
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadFailure {
    Unavailable,
    Unreadable,
}

impl Records {
    pub(crate) fn new(store: Arc<dyn TokenStore>, environment: Arc<dyn Environment>) -> Self {
        Self {
            store,
            environment,
            unreadable: Mutex::default(),
        }
    }

    /// The store itself, for what is not about one record.
    pub(crate) fn store(&self) -> &dyn TokenStore {
        &*self.store
    }

    pub(crate) async fn read(&self, key: &RecordKey) -> Result<Option<Found>, ReadFailure> {
        let stored = match guarded(async { self.store.load(key).await }).await {
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(stored))) => stored,
            Ok(Err(StoreError::Corrupt(error))) => {
                self.log_unreadable(key, &StoreError::Corrupt(error));
                return Err(ReadFailure::Unreadable);
            }
            Ok(Err(error)) => {
                tracing::warn!(record = ?key, error = %ErrorChain(&error), "a record could not be read");
                return Err(ReadFailure::Unavailable);
            }
            Err(_) => {
                tracing::error!(record = ?key, "the store panicked while it read a record");
                return Err(ReadFailure::Unavailable);
            }
        };
        match format::decode(&stored.payload) {
            Ok(record) => {
                lock(&self.unreadable).remove(key);
                Ok(Some(Found {
                    record,
                    version: stored.version,
                }))
            }
            Err(error) => {
                self.log_unreadable(key, &error);
                Err(ReadFailure::Unreadable)
            }
        }
    }

    /// Says once in a while that a record cannot be opened: every sweep looks at it again.
    fn log_unreadable(&self, key: &RecordKey, error: &(dyn std::error::Error + 'static)) {
        const MOST: usize = 1000;
        let now = self.environment.now().mono;
        let mut logged = lock(&self.unreadable);
        logged.retain(|_, at| now.saturating_sub(*at) < LOG_UNREADABLE_EVERY);
        if !logged.contains_key(key) && logged.len() < MOST {
            logged.insert(*key, now);
            tracing::error!(record = ?key, error = %ErrorChain(error), "a stored record cannot be opened");
        }
    }

    pub(crate) async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        due: Timestamp,
        expect: Expect,
    ) -> Result<Version, SaveFailure> {
        let payload = format::encode(record);
        let due = DueAt::from_unix_millis(due.unix_millis());
        let saved = async { self.store.save(key, &payload, Some(due), expect).await };
        match guarded(saved).await {
            Ok(Ok(version)) => Ok(version),
            Ok(Err(StoreError::Conflict)) => Err(SaveFailure::Conflict),
            Ok(Err(error)) => {
                tracing::warn!(record = ?key, error = %ErrorChain(&error), "a record could not be saved");
                Err(SaveFailure::OutcomeUnknown)
            }
            Err(_) => {
                tracing::error!(record = ?key, "the store panicked while it saved a record");
                Err(SaveFailure::OutcomeUnknown)
            }
        }
    }

    pub(crate) async fn delete(&self, key: &RecordKey, expect: Version) {
        match guarded(async { self.store.delete(key, expect).await }).await {
            // A conflict: somebody else has dealt with it.
            Ok(Ok(()) | Err(StoreError::Conflict)) => {}
            Ok(Err(error)) => {
                tracing::warn!(record = ?key, error = %ErrorChain(&error), "a record could not be deleted; the sweeper will");
            }
            Err(_) => {
                tracing::error!(record = ?key, "the store panicked while it deleted a record");
            }
        }
    }

    /// The versions of these records; `None` when the store does not answer.
    pub(crate) async fn versions(&self, keys: &[RecordKey]) -> Option<Vec<Option<Version>>> {
        match guarded(async { self.store.versions(keys).await }).await {
            Ok(Ok(versions)) => Some(versions),
            Ok(Err(error)) => {
                tracing::debug!(error = %ErrorChain(&error), "versions could not be read");
                None
            }
            Err(_) => {
                tracing::error!("the store panicked while it read versions");
                None
            }
        }
    }

    /// A page of the records that are due before a moment.
    pub(crate) async fn due(
        &self,
        after: Option<DueCursor>,
        before: Timestamp,
        most: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let before = DueAt::from_unix_millis(before.unix_millis());
        match guarded(async { self.store.due(after, before, most).await }).await {
            Ok(due) => due,
            Err(_) => Err(StoreError::unavailable("the store panicked")),
        }
    }
}

/// A grant's record as the core wants it.
pub(crate) fn held(record: rc_auth_core::GrantRecord, version: Version) -> Held {
    Held {
        record,
        version: RecordVersion::new(*version.as_bytes()),
    }
}

/// What the core expects of a record, as the store wants it.
pub(crate) fn expect(version: RecordVersion) -> Expect {
    Expect::Version(Version::new(*version.as_bytes()))
}
