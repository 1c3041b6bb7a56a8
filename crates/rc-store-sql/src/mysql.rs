//! MySQL and MariaDB: one server for any number of machines.

use std::str::FromStr as _;

use rc_store::{RecordKey, StoreError, Version};
use sea_orm::{
    Database, DatabaseConnection, DbBackend, QueryResult, Statement, Value,
    sqlx::{
        self, AssertSqlSafe, MySql, MySqlPool,
        mysql::{MySqlArguments, MySqlConnectOptions, MySqlDatabaseError},
        query::Query,
    },
};

use crate::{
    ConnectError,
    session::{self, PAUSES, Session},
    store::{Row, exactly_one},
};

const INSERT: &str =
    "INSERT INTO rc_records (record_key, version, payload, due) VALUES (?, ?, ?, ?)";
const REPLACE: &str = "UPDATE rc_records SET version = ?, payload = ?, due = ? \
     WHERE record_key = ? AND version = ?";
const DELETE: &str = "DELETE FROM rc_records WHERE record_key = ? AND version = ?";

/// A server and a database, as the URL names them.
pub(crate) struct Server {
    url: String,
}

impl Server {
    /// Takes what follows `mysql:` or `mariadb:`.
    pub(crate) fn parse(rest: &str) -> Result<Self, ConnectError> {
        // The driver and SeaORM know one scheme only.
        let url = format!("mysql:{rest}");
        if MySqlConnectOptions::from_str(&url).is_err() {
            return Err(ConnectError::InvalidUrl {
                problem: "MySQL's driver does not understand it",
            });
        }
        Ok(Self { url })
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, ConnectError> {
        let database = Database::connect(session::options(&self.url)).await;
        database.map_err(ConnectError::from_database)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

fn bytes(bytes: &[u8]) -> Value {
    bytes.to_vec().into()
}

pub(crate) async fn insert(database: &DatabaseConnection, row: Row<'_>) -> Result<(), StoreError> {
    let values = [
        bytes(row.key.as_bytes()),
        bytes(row.version.as_bytes()),
        bytes(row.payload),
        row.due.into(),
    ];
    let insert = Statement::from_sql_and_values(DbBackend::MySql, INSERT, values);
    exactly_one(write(database, &insert).await?)
}

pub(crate) async fn replace(
    database: &DatabaseConnection,
    row: Row<'_>,
    expected: Version,
) -> Result<(), StoreError> {
    let values = [
        bytes(row.version.as_bytes()),
        bytes(row.payload),
        row.due.into(),
        bytes(row.key.as_bytes()),
        bytes(expected.as_bytes()),
    ];
    let replace = Statement::from_sql_and_values(DbBackend::MySql, REPLACE, values);
    exactly_one(write(database, &replace).await?)
}

pub(crate) async fn delete(
    database: &DatabaseConnection,
    key: &RecordKey,
    expected: Version,
) -> Result<(), StoreError> {
    let values = [bytes(key.as_bytes()), bytes(expected.as_bytes())];
    let delete = Statement::from_sql_and_values(DbBackend::MySql, DELETE, values);
    exactly_one(write(database, &delete).await?)
}

/// How many records a statement has written: none where the key was there already.
async fn write(database: &DatabaseConnection, statement: &Statement) -> Result<u64, StoreError> {
    let pool = database.get_mysql_connection_pool();
    let mut pauses = PAUSES.into_iter();
    loop {
        let mut session = Session::begin(pool)
            .await
            .map_err(StoreError::unavailable)?;
        let answer = bound(statement)?.execute(&mut *session).await;
        let error = match answer {
            Ok(done) => {
                session.end();
                return Ok(done.rows_affected());
            }
            Err(error) => error,
        };
        match number(&error) {
            Some(DUPLICATE_KEY) => {
                session.end();
                return Ok(0);
            }
            Some(DEADLOCK) => session.end(),
            // A lost connection, a server that may only be read: of no use any more.
            _ => return Err(StoreError::unavailable(error)),
        }
        let Some(pause) = pauses.next() else {
            return Err(StoreError::unavailable(error));
        };
        tracing::debug!(%error, ?pause, "the server rolled a statement back; trying again");
        tokio::time::sleep(pause).await;
    }
}

pub(crate) async fn rows(
    pool: &MySqlPool,
    statement: &Statement,
) -> Result<Vec<QueryResult>, StoreError> {
    let mut session = Session::begin(pool)
        .await
        .map_err(StoreError::unavailable)?;
    let rows = bound(statement)?.fetch_all(&mut *session).await;
    let rows = rows.map_err(StoreError::unavailable)?;
    session.end();
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// `ER_DUP_ENTRY`.
const DUPLICATE_KEY: u16 = 1062;

/// `ER_LOCK_DEADLOCK`: the transaction was rolled back, so it was certainly not written.
const DEADLOCK: u16 = 1213;

fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

fn bound(statement: &Statement) -> Result<Query<'_, MySql, MySqlArguments>, StoreError> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
    for value in statement.values.iter().flat_map(|values| &values.0) {
        query = match value.clone() {
            Value::Bytes(value) => query.bind(value),
            Value::BigInt(value) => query.bind(value),
            Value::String(value) => query.bind(value),
            Value::BigUnsigned(value) => query.bind(value),
            _ => return Err(StoreError::unavailable("a kind of value no statement has")),
        };
    }
    Ok(query)
}
