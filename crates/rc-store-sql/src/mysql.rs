//! MySQL and MariaDB: one server for any number of machines.

use std::str::FromStr as _;

use sea_orm::{
    Database, DatabaseConnection, DbBackend, QueryResult, Statement, Value,
    sqlx::{
        self, AssertSqlSafe, MySql, MySqlPool,
        mysql::{MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode},
        query::Query,
    },
};

use crate::{
    ConnectError,
    failure::Failure,
    session::{self, PAUSES, Session, is_broken, retire_idle},
    write::Write,
};

const INSERT: &str =
    "INSERT INTO rc_records (record_key, version, payload, due) VALUES (?, ?, ?, ?)";
const REPLACE: &str = "UPDATE rc_records SET version = ?, payload = ?, due = ? \
     WHERE record_key = ? AND version = ?";
const DELETE: &str = "DELETE FROM rc_records WHERE record_key = ? AND version = ?";

/// A server and a database, as the URL names them.
pub(crate) struct Server {
    url: String,
    options: MySqlConnectOptions,
}

impl Server {
    /// Takes what follows `mysql:` or `mariadb:`.
    pub(crate) fn parse(rest: &str) -> Result<Self, ConnectError> {
        // The driver and SeaORM know one scheme only.
        let url = format!("mysql:{rest}");
        let Ok(options) = MySqlConnectOptions::from_str(&url) else {
            return Err(ConnectError::InvalidUrl {
                problem: "MySQL's driver does not understand it",
            });
        };
        let encrypted = matches!(
            options.get_ssl_mode(),
            MySqlSslMode::Required | MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity
        );
        if encrypted && !cfg!(feature = "tls") {
            return Err(ConnectError::NoTls);
        }
        Ok(Self { url, options })
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, ConnectError> {
        let server = match self.options.get_socket() {
            Some(_) => None,
            None => session::shown(&self.url, self.options.get_host(), self.options.get_port()),
        };
        session::try_out(&self.options, server).await?;
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

fn statement(write: Write<'_>) -> Statement {
    let key = bytes(write.key().as_bytes());
    let (sql, values) = match write {
        Write::Insert(row) => {
            let version = bytes(row.version.as_bytes());
            (
                INSERT,
                vec![key, version, bytes(row.payload), row.due.into()],
            )
        }
        Write::Replace(row, expected) => {
            let version = bytes(row.version.as_bytes());
            let expected = bytes(expected.as_bytes());
            let values = vec![version, bytes(row.payload), row.due.into(), key, expected];
            (REPLACE, values)
        }
        Write::Delete(_, expected) => (DELETE, vec![key, bytes(expected.as_bytes())]),
    };
    Statement::from_sql_and_values(DbBackend::MySql, sql, values)
}

/// How many records a statement has written: none where the key was there already. Runs it again if the
/// server rolled it back for the sake of another one.
pub(crate) async fn write(database: &DatabaseConnection, write: Write<'_>) -> Result<u64, Failure> {
    let pool = database.get_mysql_connection_pool();
    let statement = statement(write);
    let mut pauses = PAUSES.into_iter();
    loop {
        let session = Session::begin_for(pool, write.can_be_repeated()).await;
        let mut session = session.map_err(Failure::unconnected)?;
        let answer = bound(&statement)?.execute(&mut *session).await;
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
            _ => return Err(failed(pool, error)),
        }
        let Some(pause) = pauses.next() else {
            return Err(Failure::not_done(error));
        };
        tracing::debug!(%error, ?pause, "the server rolled a statement back; trying again");
        tokio::time::sleep(pause).await;
    }
}

pub(crate) async fn rows(
    pool: &MySqlPool,
    statement: &Statement,
) -> Result<Vec<QueryResult>, Failure> {
    let mut session = Session::begin(pool).await.map_err(Failure::unconnected)?;
    let rows = bound(statement)?.fetch_all(&mut *session).await;
    let rows = rows.map_err(|error| failed(pool, error))?;
    session.end();
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// `ER_DUP_ENTRY`.
const DUPLICATE_KEY: u16 = 1062;

/// `ER_LOCK_DEADLOCK`: the transaction was rolled back, so it was certainly not written.
const DEADLOCK: u16 = 1213;

/// Refused, or rolled back as a whole, which a statement is by itself: too many connections (1040, 1203),
/// disk or memory full (1021, 1041, 1114), no right (1044, 1045, 1142, 1143), no database or table
/// (1049, 1146), a lock that is not given up (1205), a server that may only be read (1290, 1792, 1836).
const REFUSED: [u16; 15] = [
    1021, 1040, 1041, 1044, 1045, 1049, 1114, 1142, 1143, 1146, 1203, 1205, 1290, 1792, 1836,
];

/// `ER_SERVER_SHUTDOWN`, `ER_QUERY_INTERRUPTED`, and MariaDB's `ER_CONNECTION_KILLED`.
const ENDED: [u16; 3] = [1053, 1317, 1927];

/// What is known after an error.
fn failed(pool: &MySqlPool, error: sqlx::Error) -> Failure {
    let lost = match number(&error) {
        Some(number) if REFUSED.contains(&number) => return Failure::not_done(error),
        Some(number) => ENDED.contains(&number),
        None => is_broken(&error),
    };
    if !lost {
        return Failure::unknown(error);
    }
    retire_idle(pool);
    Failure::Lost(error.into())
}

/// The server's number of an error.
pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

fn bound(statement: &Statement) -> Result<Query<'_, MySql, MySqlArguments>, Failure> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
    for value in statement.values.iter().flat_map(|values| &values.0) {
        query = match value.clone() {
            Value::Bytes(value) => query.bind(value),
            Value::BigInt(value) => query.bind(value),
            Value::String(value) => query.bind(value),
            Value::BigUnsigned(value) => query.bind(value),
            _ => return Err(Failure::not_done("a kind of value no statement has")),
        };
    }
    Ok(query)
}
