//! The store.

use std::{collections::HashMap, fmt, future::Future, sync::Arc, time::Duration};

use rc_store::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, RecordKey,
    StoreError, Stored, TokenStore, Version,
};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, QueryResult, sea_query::SelectStatement,
};
use tokio::sync::{Mutex, watch};

#[cfg(feature = "mysql")]
use crate::mysql;
#[cfg(feature = "postgres")]
use crate::postgres;
use crate::{
    ConnectError, changes,
    connect::{Opened, Target},
    failure::Failure,
    record, sqlite,
    write::{Row, Write},
};

/// No call takes longer: then it is [`StoreError::Unavailable`].
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The most records one call of `due` returns.
const DUE_PAGE: usize = 1000;

/// The most records one call of `scan` returns: 6.4 MiB at the largest.
const SCAN_PAGE: usize = 100;

/// The most keys one statement of `versions` names. SQLite takes 32,766 parameters, others fewer.
const VERSIONS_PART: usize = 1000;

/// What [`TokenStore::versions`] answers for a row whose version cannot be read: no write draws it.
pub(crate) const UNREADABLE: Version = Version::new([0; 16]);

/// Records in a SQL database. Clones share its connections.
///
/// Payloads are stored as they are given: put [`Sealed`](rc_store::Sealed) around it. Every call is one
/// SQL statement, [`versions`](TokenStore::versions) one for every 1000 keys, and a few more where its
/// connection has ended before the answer; so dropping its future
/// leaves nothing half done. It ends within ten seconds. One call of [`due`](TokenStore::due) returns at
/// most 1000 records, one of [`scan`](TokenStore::scan) 100.
///
/// [`changes`](TokenStore::changes) opens one more connection, which asks SQLite four times a second
/// whether anybody has committed, 25 times a second while this handle or its clones load and save
/// records, and yields a [`Change::Gap`](rc_store::Change::Gap) then, at its start,
/// and while the file cannot be asked. It works while it is polled, on a Tokio runtime with a timer.
#[derive(Clone)]
pub struct SqlStore {
    pub(crate) database: DatabaseConnection,
    /// Of SQLite.
    file: Option<Arc<sqlite::Opened>>,
    /// Whether changes may be asked for.
    notices: bool,
    /// SQLite lets one writer in and makes the others poll. Within a process they queue here instead;
    /// correctness does not depend on it.
    pub(crate) writer: Arc<Mutex<()>>,
    /// Somebody here reads or writes a record, and may be waiting for what others write.
    pub(crate) used: watch::Sender<()>,
}

impl SqlStore {
    /// Connects to the database of `url` and brings its schema up to date.
    ///
    /// Several processes may do so at once: who meets another at work tries again, for about three
    /// seconds. `sqlite:///path/tokens.db?mode=rwc` makes the file if it is missing, readable by its
    /// owner only.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says what is wrong with the URL, the file or the database. Nothing of it stays
    /// behind: a later call works when the cause is gone.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let Opened {
            database,
            file,
            notices,
        } = Target::parse(url)?.open().await?;
        Ok(Self {
            database,
            file: file.map(Arc::new),
            notices,
            writer: Arc::default(),
            used: watch::Sender::default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn on(database: DatabaseConnection) -> Self {
        Self {
            database,
            file: None,
            notices: true,
            writer: Arc::default(),
            used: watch::Sender::default(),
        }
    }

    /// # Errors
    ///
    /// SQLite's file is no longer in its place.
    pub(crate) fn check_file(&self) -> Result<(), Failure> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }

    /// Closes all connections, for all clones. Later calls are [`StoreError::Unavailable`].
    ///
    /// Not needed for durability. It waits for calls in progress, and the last connection to close a
    /// SQLite file folds its `-wal` file into it. Streams of [`changes`](TokenStore::changes) end, and
    /// let go of their connections when they are polled or dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the database does not let go.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.database
            .close_by_ref()
            .await
            .map_err(StoreError::unavailable)
    }

    #[cfg(test)]
    pub(crate) fn database(&self) -> &DatabaseConnection {
        &self.database
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.database.get_database_backend()
    }

    /// Reads; once more where the connection turned out to have ended.
    pub(crate) async fn rows(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<QueryResult>, StoreError> {
        match self.rows_once(query).await {
            Err(Failure::Lost(cause)) => {
                tracing::debug!(%cause, "a connection was lost; reading on another one");
                self.rows_once(query).await
            }
            answer => answer,
        }
        .map_err(Failure::of_read)
    }

    async fn rows_once(&self, query: &SelectStatement) -> Result<Vec<QueryResult>, Failure> {
        match self.backend() {
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => {
                let statement = DbBackend::Postgres.build(query);
                postgres::rows(self.database.get_postgres_connection_pool(), &statement).await
            }
            #[cfg(feature = "mysql")]
            DbBackend::MySql => {
                let statement = DbBackend::MySql.build(query);
                mysql::rows(self.database.get_mysql_connection_pool(), &statement).await
            }
            _ => {
                self.check_file()?;
                let rows = self.database.query_all(query).await;
                rows.map_err(Failure::of_sqlite)
            }
        }
    }
}

/// Bounds a call. What it has begun may still take effect: a write's outcome is unknown.
async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let done = tokio::time::timeout(CALL_LIMIT, call).await;
    done.unwrap_or_else(|elapsed| Err(StoreError::unavailable(elapsed)))
}

fn due(row: &QueryResult) -> Result<Due, StoreError> {
    let due = row.try_get("", "due").map_err(StoreError::unavailable)?;
    Ok(Due {
        key: record::key(row)?,
        due: DueAt::from_unix_millis(due),
    })
}

/// A row whose version cannot be read is that record's fault; loading it says so.
pub(crate) fn versioned(row: &QueryResult) -> Result<(RecordKey, Version), StoreError> {
    let bytes = row.try_get("", "version").map_err(StoreError::corrupt);
    let version = bytes.and_then(record::version);
    Ok((record::key(row)?, version.unwrap_or(UNREADABLE)))
}

fn page(limit: usize, cap: usize) -> u64 {
    limit.min(cap) as u64
}

impl TokenStore for SqlStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(within(async move {
            self.used.send_replace(());
            let query = record::one(self.backend(), key);
            let rows = self.rows(&query).await?;
            rows.first().map(record::stored).transpose()
        }))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(within(async move {
            if payload.len() > MAX_PAYLOAD {
                return Err(StoreError::TooLarge {
                    size: payload.len(),
                    limit: MAX_PAYLOAD,
                });
            }
            self.used.send_replace(());
            let version = Version::random()?;
            let row = Row {
                key,
                version,
                payload,
                due: due.map(DueAt::unix_millis),
            };
            self.write(match expect {
                Expect::Absent => Write::Insert(row),
                Expect::Version(expected) => Write::Replace(row, expected),
            })
            .await?;
            Ok(version)
        }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(within(self.write(Write::Delete(key, expect))))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        Box::pin(within(async move {
            let query = record::due(self.backend(), after, before, page(limit, DUE_PAGE));
            let rows = self.rows(&query).await?;
            rows.iter().map(due).collect()
        }))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(within(async move {
            let query = record::scan(self.backend(), after, page(limit, SCAN_PAGE));
            let rows = self.rows(&query).await?;
            let listed = |row| {
                Ok(Listed {
                    key: record::key(row)?,
                    stored: record::stored(row),
                })
            };
            rows.iter().map(listed).collect()
        }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        Box::pin(within(async move {
            let mut found = HashMap::with_capacity(keys.len());
            for part in keys.chunks(VERSIONS_PART) {
                let query = record::versions(self.backend(), part);
                for row in self.rows(&query).await? {
                    let (key, version) = versioned(&row)?;
                    found.insert(key, version);
                }
            }
            Ok(keys.iter().map(|key| found.get(key).copied()).collect())
        }))
    }

    fn changes(&self) -> Option<ChangeStream> {
        if !self.notices {
            return None;
        }
        match self.backend() {
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => Some(postgres::stream(
                self.database.get_postgres_connection_pool(),
            )),
            #[cfg(feature = "mysql")]
            DbBackend::MySql => None,
            // Databases in memory, which a second connection would not see, are refused by `connect`.
            _ => {
                let pool = self.database.get_sqlite_connection_pool();
                Some(changes::stream(pool, self.used.subscribe()))
            }
        }
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(within(async move { self.write_nothing().await }))
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = self.database.get_database_backend();
        f.debug_struct("SqlStore")
            .field("backend", &backend)
            .finish_non_exhaustive()
    }
}
