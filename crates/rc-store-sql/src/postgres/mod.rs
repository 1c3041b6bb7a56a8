//! PostgreSQL: one server for any number of machines.

mod changes;
#[cfg(test)]
mod tests;

use std::str::FromStr as _;

use rc_store::{RecordKey, StoreError, Version};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbBackend, QueryResult, Statement, Value,
    sqlx::{
        self, AssertSqlSafe, PgPool, Postgres,
        postgres::{PgArguments, PgConnectOptions, PgRow},
        query::Query,
    },
};

use crate::{
    ConnectError,
    session::{self, PAUSES, Session, sqlstate},
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
}

impl Server {
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        if PgConnectOptions::from_str(url).is_err() {
            return Err(ConnectError::InvalidUrl {
                problem: "PostgreSQL's driver does not understand it",
            });
        }
        Ok(Self {
            url: url.to_owned(),
        })
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, ConnectError> {
        let options: ConnectOptions = session::options(&self.url);
        let database = Database::connect(options).await;
        database.map_err(ConnectError::from_database)
    }
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

pub(crate) fn insert(
    key: &RecordKey,
    version: Version,
    payload: &[u8],
    due: Option<i64>,
) -> Statement {
    let values = [
        bytes(key.as_bytes()),
        bytes(version.as_bytes()),
        bytes(payload),
        due.into(),
        notice(key, Some(version)).into(),
    ];
    Statement::from_sql_and_values(DbBackend::Postgres, INSERT, values)
}

pub(crate) fn replace(
    key: &RecordKey,
    version: Version,
    payload: &[u8],
    due: Option<i64>,
    expected: Version,
) -> Statement {
    let values = [
        bytes(key.as_bytes()),
        bytes(version.as_bytes()),
        bytes(payload),
        due.into(),
        notice(key, Some(version)).into(),
        bytes(expected.as_bytes()),
    ];
    Statement::from_sql_and_values(DbBackend::Postgres, REPLACE, values)
}

pub(crate) fn delete(key: &RecordKey, expected: Version) -> Statement {
    let values = [
        bytes(key.as_bytes()),
        bytes(expected.as_bytes()),
        notice(key, None).into(),
    ];
    Statement::from_sql_and_values(DbBackend::Postgres, DELETE, values)
}

/// Runs a statement, again if the server rolled it back for the sake of another one. A statement of
/// which it is not known whether it took effect is not repeated.
pub(crate) async fn rows(
    pool: &PgPool,
    statement: &Statement,
) -> Result<Vec<QueryResult>, StoreError> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match run(pool, statement).await {
            Ok(rows) => return Ok(rows.into_iter().map(QueryResult::from).collect()),
            Err(error) => error,
        };
        let Some(pause) = pauses.next().filter(|_| rolled_back(&error)) else {
            return Err(StoreError::unavailable(error));
        };
        tracing::debug!(%error, ?pause, "the server rolled a statement back; trying again");
        tokio::time::sleep(pause).await;
    }
}

async fn run(pool: &PgPool, statement: &Statement) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut session = Session::begin(pool).await?;
    let answer = bound(statement)?.fetch_all(&mut *session).await;
    // After other errors (a lost connection, a server that may only be read) it is of no use.
    if answer.as_ref().err().is_none_or(rolled_back) {
        session.end();
    }
    answer
}

/// `serialization_failure` and `deadlock_detected`: certainly not written.
fn rolled_back(error: &sqlx::Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("40001" | "40P01"))
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
