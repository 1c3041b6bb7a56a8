//! PostgreSQL: one server for any number of machines.

mod changes;
#[cfg(test)]
mod tests;

use std::str::FromStr as _;

use rc_store::{RecordKey, Version};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbBackend, QueryResult, Statement, Value,
    sqlx::{
        self, AssertSqlSafe, PgPool, Postgres,
        postgres::{PgArguments, PgConnectOptions, PgDatabaseError, PgRow, PgSeverity, PgSslMode},
        query::Query,
    },
};

use crate::{
    ConnectError,
    failure::Failure,
    session::{self, PAUSES, Session, is_broken, retire_idle},
    write::{Row, Write},
};

pub(crate) use changes::stream;

/// Written as one statement with its notice. A row comes back for each record that was written.
const INSERT: &str = "WITH written AS (INSERT INTO rc_records (record_key, version, payload, due) \
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1) \
     SELECT pg_notify('rc_records', $5) FROM written";
const REPLACE: &str = "WITH written AS (UPDATE rc_records SET version = $2, payload = $3, due = $4 \
     WHERE record_key = $1 AND version = $6 RETURNING 1) \
     SELECT pg_notify('rc_records', $5) FROM written";
const DELETE: &str = "WITH written AS (DELETE FROM rc_records \
     WHERE record_key = $1 AND version = $2 RETURNING 1) \
     SELECT pg_notify('rc_records', $3) FROM written";

/// A server and a database, as the URL names them.
pub(crate) struct Server {
    url: String,
    options: PgConnectOptions,
    notices: bool,
}

impl Server {
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let (url, notices) = without_notices(url)?;
        let Ok(options) = PgConnectOptions::from_str(&url) else {
            return Err(ConnectError::InvalidUrl {
                problem: "PostgreSQL's driver does not understand it",
            });
        };
        let encrypted = matches!(
            options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        );
        if encrypted && !cfg!(feature = "tls") {
            return Err(ConnectError::NoTls);
        }
        Ok(Self {
            url,
            options,
            notices,
        })
    }

    /// Whether a connection may be kept that listens.
    pub(crate) fn notices(&self) -> bool {
        self.notices
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, ConnectError> {
        let server = match self.options.get_socket() {
            Some(_) => None,
            None => session::shown(&self.url, self.options.get_host(), self.options.get_port()),
        };
        session::try_out(&self.options, server).await?;
        let options: ConnectOptions = session::options(&self.url);
        let database = Database::connect(options).await;
        database.map_err(ConnectError::from_database)
    }
}

/// The URL without our own parameter `notices`, which the driver does not know, and what that says.
fn without_notices(url: &str) -> Result<(String, bool), ConnectError> {
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), true));
    };
    let mut notices = true;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair {
            "notices=off" => notices = false,
            "notices=on" => notices = true,
            _ if pair.starts_with("notices=") => {
                return Err(ConnectError::InvalidUrl {
                    problem: "`notices` is `on` or `off`",
                });
            }
            _ => kept.push(pair),
        }
    }
    let url = match kept.join("&") {
        query if query.is_empty() => place.to_owned(),
        query => format!("{place}?{query}"),
    };
    Ok((url, notices))
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// What a notice says: the key, and the version that a write left.
fn notice(key: &RecordKey, version: Option<Version>) -> String {
    let mut text = key.to_hex();
    for byte in version.iter().flat_map(|version| version.as_bytes()) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn bytes(bytes: &[u8]) -> Value {
    bytes.to_vec().into()
}

/// A write and its notice as one statement.
fn statement(write: Write<'_>) -> Statement {
    let key = bytes(write.key().as_bytes());
    let (sql, values) = match write {
        Write::Insert(row) => (INSERT, row_values(key, row)),
        Write::Replace(row, expected) => {
            let mut values = row_values(key, row);
            values.push(bytes(expected.as_bytes()));
            (REPLACE, values)
        }
        Write::Delete(gone, expected) => {
            let expected = bytes(expected.as_bytes());
            (DELETE, vec![key, expected, notice(gone, None).into()])
        }
    };
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

fn row_values(key: Value, row: Row<'_>) -> Vec<Value> {
    vec![
        key,
        bytes(row.version.as_bytes()),
        bytes(row.payload),
        row.due.into(),
        notice(row.key, Some(row.version)).into(),
    ]
}

/// How many records a write has written.
pub(crate) async fn write(pool: &PgPool, write: Write<'_>) -> Result<u64, Failure> {
    // A row comes back for each of them.
    let rows = again_if_rolled_back(pool, &statement(write), write.can_be_repeated()).await?;
    Ok(rows.len() as u64)
}

pub(crate) async fn rows(
    pool: &PgPool,
    statement: &Statement,
) -> Result<Vec<QueryResult>, Failure> {
    again_if_rolled_back(pool, statement, true).await
}

/// Runs a statement, again if the server rolled it back for the sake of another one. `repeatable`: if its
/// connection turns out to be dead, the caller can repeat it.
async fn again_if_rolled_back(
    pool: &PgPool,
    statement: &Statement,
    repeatable: bool,
) -> Result<Vec<QueryResult>, Failure> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let session = Session::begin_for(pool, repeatable).await;
        let session = session.map_err(Failure::unconnected)?;
        let error = match run(session, statement).await? {
            Ok(rows) => return Ok(rows.into_iter().map(QueryResult::from).collect()),
            Err(error) => error,
        };
        let Some(pause) = pauses.next().filter(|_| rolled_back(&error)) else {
            if is_lost(&error) {
                retire_idle(pool);
            }
            return Err(failure(error));
        };
        tracing::debug!(%error, ?pause, "the server rolled a statement back; trying again");
        tokio::time::sleep(pause).await;
    }
}

async fn run(
    mut session: Session<Postgres>,
    statement: &Statement,
) -> Result<Result<Vec<PgRow>, sqlx::Error>, Failure> {
    let query = bound(statement).map_err(Failure::not_done)?;
    let answer = query.fetch_all(&mut *session).await;
    // After other errors (a lost connection, a server that may only be read) it is of no use.
    if answer.as_ref().err().is_none_or(rolled_back) {
        session.end();
    }
    Ok(answer)
}

/// What the server says of an error, and how bad it is.
pub(crate) fn said(error: &sqlx::Error) -> Option<(&str, PgSeverity)> {
    let error = error.as_database_error()?;
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some((error.code(), error.severity()))
}

/// `serialization_failure` and `deadlock_detected`: certainly not written.
fn rolled_back(error: &sqlx::Error) -> bool {
    matches!(said(error), Some(("40001" | "40P01", PgSeverity::Error)))
}

/// The connection ended: by itself, by an administrator (57P01), in a crash (57P02), or a pooler says so
/// of its own (class 08).
fn is_lost(error: &sqlx::Error) -> bool {
    match said(error) {
        Some((code, severity)) => {
            matches!(severity, PgSeverity::Fatal | PgSeverity::Panic) || code.starts_with("08")
        }
        None => is_broken(error),
    }
}

/// What is known after an error. An error that does not end the connection has rolled its statement back
/// (`read_only_sql_transaction`, class 53 of insufficient resources, class 42 of missing tables and
/// rights, `lock_not_available`); the others may have come too late to stop it.
fn failure(error: sqlx::Error) -> Failure {
    if is_lost(&error) {
        return Failure::Lost(error.into());
    }
    let refused = said(&error).is_some_and(|(code, severity)| {
        matches!(severity, PgSeverity::Error)
            && (matches!(code, "25006" | "40001" | "40P01" | "55P03")
                || ["42", "53"].iter().any(|class| code.starts_with(class)))
    });
    if refused {
        Failure::not_done(error)
    } else {
        Failure::unknown(error)
    }
}

fn bound(statement: &Statement) -> Result<Query<'_, Postgres, PgArguments>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
    for value in statement.values.iter().flat_map(|values| &values.0) {
        query = match value.clone() {
            Value::Bytes(value) => query.bind(value),
            Value::BigInt(value) => query.bind(value),
            Value::String(value) => query.bind(value),
            Value::BigUnsigned(value) => {
                let value = value.map(i64::try_from).transpose();
                query.bind(value.map_err(|error| sqlx::Error::Encode(error.into()))?)
            }
            _ => {
                return Err(sqlx::Error::Encode(
                    "a kind of value no statement has".into(),
                ));
            }
        };
    }
    Ok(query)
}
