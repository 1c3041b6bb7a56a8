//! SQLite: one file, any number of processes on one machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use rc_store::{RecordKey, Version};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectOptions, Database, DatabaseConnection, EntityTrait as _,
    QueryFilter as _, SqlErr,
    sea_query::Expr,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    ConnectError,
    failure::Failure,
    record::{ActiveModel, Column, Entity},
    write::{Row, exactly_one},
};

/// How long a statement waits for another process's write: many times what a write takes on a slow
/// disk, and less than a request's patience.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Each is a thread. In WAL mode reads run side by side and never wait for the one writer.
pub(crate) const CONNECTIONS: u32 = 4;

/// A database file, as the URL names it.
#[derive(Debug)]
pub(crate) struct File {
    url: String,
    path: PathBuf,
    create: bool,
}

impl File {
    /// Takes what follows `sqlite:`.
    pub(crate) fn parse(rest: &str) -> Result<Self, ConnectError> {
        let invalid = |problem| Err(ConnectError::InvalidUrl { problem });
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if place.contains(":memory:") {
            return Err(ConnectError::NotDurable);
        }
        let mut create = false;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair {
                "mode=rw" => create = false,
                "mode=rwc" => create = true,
                "mode=memory" => return Err(ConnectError::NotDurable),
                "mode=ro" => return invalid("a token store has to write, so `mode=ro` cannot be"),
                _ => return invalid("after the `?` only `mode=rw` and `mode=rwc` are known"),
            }
        }
        let url = format!("sqlite:{place}");
        let Ok(options) = SqliteConnectOptions::from_str(&url) else {
            return invalid("its path is not UTF-8 after percent-decoding");
        };
        let path = options.get_filename().to_owned();
        if path.as_os_str().is_empty() {
            return invalid("it names no file");
        }
        Ok(Self { url, path, create })
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, ConnectError> {
        self.prepare().map_err(|source| self.refused(source))?;
        let database = Database::connect(options(&self.url, BUSY_TIMEOUT)).await;
        database.map_err(ConnectError::from_database)
    }

    /// Makes the file before SQLite does, so that it never has other permissions than its owner's.
    /// SQLite gives its `-wal` and `-shm` companions the same.
    fn prepare(&self) -> io::Result<()> {
        let mut open = fs::OpenOptions::new();
        open.read(true).write(true);
        if self.create && !self.path.exists() {
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
            match open.clone().create_new(true).open(&self.path) {
                Ok(_) => return sync_directory(&self.path),
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let file = open.open(&self.path)?;
        warn_of_strangers(&self.path, &file.metadata()?);
        Ok(())
    }

    fn refused(&self, source: io::Error) -> ConnectError {
        let hint = match source.kind() {
            io::ErrorKind::NotFound if self.create => "its directory does not exist; make it first",
            io::ErrorKind::NotFound => "it does not exist; add `?mode=rwc` to make it",
            _ => {
                return ConnectError::File {
                    path: self.path.clone(),
                    source: source.into(),
                };
            }
        };
        ConnectError::File {
            path: self.path.clone(),
            source: hint.into(),
        }
    }
}

/// The file that was opened, to notice when another one or none lies in its place.
///
/// An engine goes on with a file that was removed or moved away, and what it writes there is lost for
/// everybody who opens the name.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    identity: Option<Identity>,
}

impl Opened {
    pub(crate) fn new(file: &File) -> Self {
        Self {
            identity: identity(&file.path),
            path: file.path.clone(),
        }
    }

    /// # Errors
    ///
    /// The file is not in its place, so nothing may be read or written.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        // A query of the name alone, which the system answers from memory.
        if self.identity.is_none() || identity(&self.path) == self.identity {
            return Ok(());
        }
        Err(Failure::NotDone(
            format!(
                "the database file {} was removed or replaced; put it back, or restart to use what is \
                 there now",
                self.path.display()
            )
            .into(),
        ))
    }
}

/// Device and number of a file.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Elsewhere a file that is open can be neither removed nor replaced.
#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<Identity> {
    None
}

/// A new file survives a power cut once its directory is written too.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn warn_of_strangers(path: &Path, metadata: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt as _;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "others than its owner may open the token database; `chmod 600` it and its -wal and -shm"
        );
    }
}

#[cfg(not(unix))]
fn warn_of_strangers(_path: &Path, _metadata: &fs::Metadata) {}

/// What every connection of the pool is opened with.
pub(crate) fn options(url: &str, busy_timeout: Duration) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .min_connections(1)
        .max_connections(CONNECTIONS)
        .acquire_timeout(crate::store::CALL_LIMIT)
        // A connection to a file does not go stale.
        .test_before_acquire(false)
        // Statements in logs and spans could carry payloads.
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .create_if_missing(false)
                .busy_timeout(busy_timeout)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                // On macOS only this reaches the disk; elsewhere it changes nothing.
                .pragma("fullfsync", "ON")
        });
    options
}

pub(crate) async fn insert(database: &DatabaseConnection, row: Row<'_>) -> Result<(), Failure> {
    let row = ActiveModel {
        record_key: Set(row.key.to_hex()),
        version: Set(row.version.as_bytes().to_vec()),
        payload: Set(row.payload.to_vec()),
        due: Set(row.due),
    };
    let inserted = Entity::insert(row).exec_without_returning(database).await;
    match inserted.map_err(|error| (error.sql_err(), error)) {
        Ok(_) => Ok(()),
        Err((Some(SqlErr::UniqueConstraintViolation(_)), _)) => Err(Failure::Conflict),
        Err((_, error)) => Err(Failure::of_sqlite(error)),
    }
}

pub(crate) async fn replace(
    database: &DatabaseConnection,
    row: Row<'_>,
    expected: Version,
) -> Result<(), Failure> {
    let update = Entity::update_many()
        .col_expr(
            Column::Version,
            Expr::value(row.version.as_bytes().to_vec()),
        )
        .col_expr(Column::Payload, Expr::value(row.payload.to_vec()))
        .col_expr(Column::Due, Expr::value(row.due))
        .filter(Column::RecordKey.eq(row.key.to_hex()))
        .filter(Column::Version.eq(expected.as_bytes().to_vec()));
    let updated = update.exec(database).await;
    exactly_one(updated.map_err(Failure::of_sqlite)?.rows_affected)
}

pub(crate) async fn delete(
    database: &DatabaseConnection,
    key: &RecordKey,
    expected: Version,
) -> Result<(), Failure> {
    let delete = Entity::delete_many()
        .filter(Column::RecordKey.eq(key.to_hex()))
        .filter(Column::Version.eq(expected.as_bytes().to_vec()));
    let deleted = delete.exec(database).await;
    exactly_one(deleted.map_err(Failure::of_sqlite)?.rows_affected)
}
