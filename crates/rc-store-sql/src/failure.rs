//! What is known after a statement has failed.

use std::error::Error;

use rc_store::StoreError;
use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError as _, sqlite::SqliteError},
};

type Cause = Box<dyn Error + Send + Sync>;

/// Why a statement did not do what it was to do.
#[derive(Debug)]
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    expect(dead_code, reason = "some of it is said by servers only")
)]
pub(crate) enum Failure {
    /// The record is not what was expected.
    Conflict,
    /// It certainly took no effect: it was not sent, or the database refused it or rolled it back.
    NotDone(Cause),
    /// Its connection ended before the answer. Another connection may tell what became of it.
    Lost(Cause),
    /// Nothing is known.
    Unknown(Cause),
}

impl Failure {
    pub(crate) fn not_done(cause: impl Into<Cause>) -> Self {
        Self::NotDone(cause.into())
    }

    pub(crate) fn unknown(cause: impl Into<Cause>) -> Self {
        Self::Unknown(cause.into())
    }

    /// No connection to be had: nothing was sent.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) fn unconnected(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::not_done(
                "no connection to the database server in time: it does not answer, or all connections \
                 are at work",
            ),
            error => Self::not_done(error),
        }
    }

    /// Of SQLite, which rolls a statement back that it cannot finish.
    pub(crate) fn of_sqlite(error: DbErr) -> Self {
        let unsent = matches!(error, DbErr::ConnectionAcquire(_))
            || matches!(
                driver_error(&error),
                Some(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
            );
        // BUSY, LOCKED, READONLY, FULL, CANTOPEN.
        let refused = driver_error(&error)
            .and_then(sqlite_code)
            .map(|code| code & 0xff);
        if unsent || matches!(refused, Some(5 | 6 | 8 | 13 | 14)) {
            Self::not_done(error)
        } else {
            Self::unknown(error)
        }
    }

    /// For a call that only reads, after which the question what was written does not arise.
    pub(crate) fn of_read(self) -> StoreError {
        match self {
            Self::NotDone(cause) | Self::Lost(cause) | Self::Unknown(cause) => {
                StoreError::Unavailable(cause)
            }
            Self::Conflict => StoreError::Conflict,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict => Self::Conflict,
            Failure::NotDone(cause) => Self::NotWritten(cause),
            Failure::Lost(cause) | Failure::Unknown(cause) => Self::Unavailable(cause),
        }
    }
}

/// The driver's error in an error of SeaORM.
pub(crate) fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// The result code of SQLite (<https://www.sqlite.org/rescode.html>); those of servers are text, and
/// mean something else.
pub(crate) fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let error = error.as_database_error()?;
    error
        .try_downcast_ref::<SqliteError>()?
        .code()?
        .parse()
        .ok()
}
