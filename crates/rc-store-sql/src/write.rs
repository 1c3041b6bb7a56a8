//! One change of one record, and what became of it.

use std::time::Duration;

use rc_store::{RecordKey, StoreError, Version};
#[cfg(any(feature = "mysql", feature = "postgres"))]
use sea_orm::DbBackend;
use tokio::sync::MutexGuard;

#[cfg(feature = "mysql")]
use crate::mysql;
#[cfg(feature = "postgres")]
use crate::postgres;
use crate::{
    SqlStore,
    failure::Failure,
    record, sqlite,
    store::{UNREADABLE, versioned},
};

/// How long a write to SQLite waits for those of its own process: with the time it may then wait for
/// another process it is less than a call may take, so it is always known that nothing was written.
const TURN_LIMIT: Duration = Duration::from_secs(4);

/// No record has this key: real ones are digests.
const NOBODY: RecordKey = RecordKey::new([0; 32]);

/// A record about to be written.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) key: &'a RecordKey,
    pub(crate) version: Version,
    pub(crate) payload: &'a [u8],
    pub(crate) due: Option<i64>,
}

/// A change of one record, and what it expects.
#[derive(Clone, Copy)]
pub(crate) enum Write<'a> {
    Insert(Row<'a>),
    Replace(Row<'a>, Version),
    Delete(&'a RecordKey, Version),
}

impl<'a> Write<'a> {
    pub(crate) fn key(self) -> &'a RecordKey {
        match self {
            Self::Insert(row) | Self::Replace(row, _) => row.key,
            Self::Delete(key, _) => key,
        }
    }

    /// Whether it can be repeated when its answer was lost: a creation could bring back what was deleted
    /// meanwhile.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) const fn can_be_repeated(self) -> bool {
        !matches!(self, Self::Insert(_))
    }

    /// The version that it leaves.
    fn left(self) -> Option<Version> {
        match self {
            Self::Insert(row) | Self::Replace(row, _) => Some(row.version),
            Self::Delete(..) => None,
        }
    }

    /// The version that it replaces or deletes.
    fn expected(self) -> Option<Version> {
        match self {
            Self::Insert(_) => None,
            Self::Replace(_, expected) | Self::Delete(_, expected) => Some(expected),
        }
    }
}

impl SqlStore {
    /// Writes. If the connection ends before the answer, another one is asked what became of it.
    pub(crate) async fn write(&self, write: Write<'_>) -> Result<(), StoreError> {
        match self.attempt(write).await {
            Err(Failure::Lost(cause)) => {
                tracing::debug!(%cause, "a connection was lost; looking what became of a write");
                if self.is_done(write).await {
                    Ok(())
                } else {
                    Err(StoreError::Unavailable(cause))
                }
            }
            answer => Ok(answer?),
        }
    }

    /// Whether a write certainly took effect, after its answer was lost; where it has not yet, it is
    /// repeated once.
    ///
    /// A write that expects a version may be repeated even if the first try is still on its way: that
    /// version never comes back for it. One that expects no record is not: it could bring back what was
    /// deleted meanwhile.
    async fn is_done(&self, write: Write<'_>) -> bool {
        match self.found(write.key()).await {
            Ok(found) if found.is_some() && found == write.left() => true,
            Ok(found) if found == write.expected() && found.is_some() => {
                match self.attempt(write).await {
                    Ok(()) => true,
                    // The first try, after all?
                    Err(Failure::Conflict) => {
                        let found = self.found(write.key()).await.ok().flatten();
                        found.is_some() && found == write.left()
                    }
                    Err(_) => false,
                }
            }
            // Another version may have replaced the one that this write left.
            _ => false,
        }
    }

    async fn found(&self, key: &RecordKey) -> Result<Option<Version>, StoreError> {
        let query = record::versions(self.backend(), std::slice::from_ref(key));
        let rows = self.rows(&query).await?;
        let found = rows.first().map(versioned).transpose()?;
        Ok(found.map(|(_, version)| version))
    }

    /// A write that finds no record to change: a database that may only be read refuses it.
    pub(crate) async fn write_nothing(&self) -> Result<(), StoreError> {
        let nothing = Write::Delete(&NOBODY, UNREADABLE);
        let answer = match self.attempt(nothing).await {
            Err(Failure::Lost(_)) => self.attempt(nothing).await,
            answer => answer,
        };
        match answer {
            Ok(()) | Err(Failure::Conflict) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn attempt(&self, write: Write<'_>) -> Result<(), Failure> {
        match self.backend() {
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => {
                let pool = self.database.get_postgres_connection_pool();
                exactly_one(postgres::write(pool, write).await?)
            }
            #[cfg(feature = "mysql")]
            DbBackend::MySql => exactly_one(mysql::write(&self.database, write).await?),
            _ => {
                let _turn = self.turn().await?;
                self.check_file()?;
                match write {
                    Write::Insert(row) => sqlite::insert(&self.database, row).await,
                    Write::Replace(row, expected) => {
                        sqlite::replace(&self.database, row, expected).await
                    }
                    Write::Delete(key, expected) => {
                        sqlite::delete(&self.database, key, expected).await
                    }
                }
            }
        }
    }

    async fn turn(&self) -> Result<MutexGuard<'_, ()>, Failure> {
        let turn = tokio::time::timeout(TURN_LIMIT, self.writer.lock()).await;
        turn.map_err(|_| Failure::not_done("other writes to the database file take too long"))
    }
}

pub(crate) fn exactly_one(rows: u64) -> Result<(), Failure> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Failure::Conflict)
    }
}
