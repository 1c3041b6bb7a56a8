//! The bare clients: the statements of the stores, sent by hand over a pool of the same size.

use std::{str::FromStr as _, sync::LazyLock, time::Duration};

use rc_store::{DueAt, RecordKey, Version};
use redis::{AsyncCommands as _, aio::MultiplexedConnection};
use sea_orm::sqlx::{
    self, MySqlPool, PgPool, SqlitePool,
    mysql::MySqlPoolOptions,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::text;

/// As many as the stores have: on servers, and on SQLite.
const CONNECTIONS: u32 = 10;
const SQLITE_CONNECTIONS: u32 = 4;

/// The client's own half second is not enough for a thousand records while the server rewrites its log.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

const DOLLAR_LOAD: &str =
    "SELECT record_key, version, payload, due FROM rc_records WHERE record_key = $1";
const LOAD: &str = "SELECT record_key, version, payload, due FROM rc_records WHERE record_key = ?";
const NOTIFIED_SAVE: &str = "WITH written AS (UPDATE rc_records \
     SET version = $2, payload = $3, due = $4 WHERE record_key = $1 AND version = $6 RETURNING 1) \
     SELECT pg_notify('rc_records', $5) FROM written";
const SAVE: &str = "UPDATE rc_records SET version = ?, payload = ?, due = ? \
     WHERE record_key = ? AND version = ?";

/// What a save changes on Redis, without what the store does for records that are damaged or new.
/// Keys: record, due. Arguments: key, channel, notice, expected version, value, due time.
const SCRIPT: &str = r"
local old = redis.call('GETRANGE', KEYS[1], 0, 31)
if string.sub(old, 1, 16) ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[1], ARGV[5])
redis.call('ZREM', KEYS[2], string.sub(old, 17, 32) .. ARGV[1])
redis.call('ZADD', KEYS[2], 0, ARGV[6] .. ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
";

/// A client of a store's backend. Clones share its connections.
#[derive(Clone)]
pub(super) enum Bare {
    Postgres(PgPool),
    MySql(MySqlPool),
    Sqlite(SqlitePool),
    Redis(MultiplexedConnection),
}

/// Makes the database of a MySQL URL, which a new server does not have.
pub(super) async fn make_database(url: &str) -> Result<(), String> {
    let Some((server, database)) = url.rsplit_once('/').filter(|_| url.starts_with("mysql:"))
    else {
        return Ok(());
    };
    if database.is_empty() || !database.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("the URL has to name a database in letters and digits".to_owned());
    }
    let pool = MySqlPool::connect(server).await.map_err(text)?;
    let create = format!("CREATE DATABASE IF NOT EXISTS {database}");
    let made = sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(&pool)
        .await;
    made.map(drop).map_err(text)
}

impl Bare {
    pub(super) async fn connect(url: &str) -> Result<Self, String> {
        match url.split(':').next().unwrap_or_default() {
            "postgres" | "postgresql" => {
                let pool = PgPoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .test_before_acquire(false);
                pool.connect(url).await.map(Self::Postgres).map_err(text)
            }
            "mysql" => {
                let pool = MySqlPoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .test_before_acquire(false);
                pool.connect(url).await.map(Self::MySql).map_err(text)
            }
            "sqlite" => sqlite(url).await.map(Self::Sqlite),
            "redis" => {
                let client = redis::Client::open(url).map_err(text)?;
                let config =
                    redis::AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_LIMIT));
                let connection = client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await;
                connection.map(Self::Redis).map_err(text)
            }
            _ => Err("there is no bare client for this kind of URL".to_owned()),
        }
    }

    /// The version of a record, read with all the rest of it.
    pub(super) async fn load(&self, key: &RecordKey) -> Result<Version, String> {
        let bytes = key.as_bytes().as_slice();
        let row = match self {
            Self::Postgres(pool) => {
                let query = sqlx::query_as::<_, Row>(DOLLAR_LOAD).bind(bytes);
                query.fetch_one(pool).await.map(|row| row.1)
            }
            Self::MySql(pool) => {
                let query = sqlx::query_as::<_, Row>(LOAD).bind(bytes);
                query.fetch_one(pool).await.map(|row| row.1)
            }
            Self::Sqlite(pool) => {
                let query = sqlx::query_as::<_, TextRow>(LOAD).bind(key.to_hex());
                query.fetch_one(pool).await.map(|row| row.1)
            }
            Self::Redis(connection) => {
                let mut connection = connection.clone();
                let value: Vec<u8> = connection.get(record_name(key)).await.map_err(text)?;
                Ok(value.get(..16).unwrap_or_default().to_vec())
            }
        };
        let bytes = row.map_err(text)?;
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| "a version has not 16 bytes")?;
        Ok(Version::new(bytes))
    }

    /// Replaces a record by compare-and-swap, with its notice where the store sends one.
    pub(super) async fn save(
        &self,
        key: &RecordKey,
        payload: &[u8],
        due: DueAt,
        expected: Version,
    ) -> Result<Version, String> {
        let version = Version::random().map_err(text)?;
        let (id, old, new) = (key.as_bytes().as_slice(), expected, version);
        let (old, new, due_at) = (old.as_bytes().as_slice(), new.as_bytes(), due.unix_millis());
        let new = new.as_slice();
        let written = match self {
            Self::Postgres(pool) => {
                let query = sqlx::query(NOTIFIED_SAVE).bind(id).bind(new).bind(payload);
                let query = query.bind(due_at).bind(notice(key, version)).bind(old);
                query.fetch_all(pool).await.map(|rows| rows.len() as u64)
            }
            Self::MySql(pool) => {
                let query = sqlx::query(SAVE).bind(new).bind(payload).bind(due_at);
                let done = query.bind(id).bind(old).execute(pool).await;
                done.map(|done| done.rows_affected())
            }
            Self::Sqlite(pool) => {
                let query = sqlx::query(SAVE).bind(new).bind(payload).bind(due_at);
                let done = query.bind(key.to_hex()).bind(old).execute(pool).await;
                done.map(|done| done.rows_affected())
            }
            Self::Redis(connection) => {
                let value = value(version, due, payload);
                let mut command = redis::cmd("EVALSHA");
                command.arg(SHA.as_str()).arg(2);
                command.arg(record_name(key)).arg(due_name(key));
                command
                    .arg(key.to_hex())
                    .arg("rc:changes")
                    .arg(notice(key, version));
                command.arg(old).arg(value).arg(due_text(due));
                let mut connection = connection.clone();
                Ok(command.query_async(&mut connection).await.map_err(text)?)
            }
        };
        match written.map_err(text)? {
            1 => Ok(version),
            written => Err(format!("a bare save wrote {written} records")),
        }
    }
}

/// Key, version, payload and due time, as the store reads them too.
type Row = (Vec<u8>, Vec<u8>, Vec<u8>, Option<i64>);
type TextRow = (String, Vec<u8>, Vec<u8>, Option<i64>);

static SHA: LazyLock<String> = LazyLock::new(|| redis::Script::new(SCRIPT).get_hash().to_owned());

/// As durable as the store opens it.
async fn sqlite(url: &str) -> Result<SqlitePool, String> {
    let options = SqliteConnectOptions::from_str(url).map_err(text)?;
    let options = options
        .busy_timeout(Duration::from_secs(5))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("fullfsync", "ON");
    let pool = SqlitePoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS)
        .test_before_acquire(false);
    pool.connect_with(options).await.map_err(text)
}

/// Lets a Redis server know the script of [`Bare::save`].
pub(super) async fn load_script(connection: &mut MultiplexedConnection) -> Result<(), String> {
    let mut command = redis::cmd("SCRIPT");
    command.arg("LOAD").arg(SCRIPT);
    command.exec_async(connection).await.map_err(text)
}

fn notice(key: &RecordKey, version: Version) -> String {
    let version = u128::from_be_bytes(*version.as_bytes());
    format!("{}{version:032x}", key.to_hex())
}

fn tag(key: &RecordKey) -> u8 {
    key.as_bytes()[0] & 63
}

pub(super) fn record_name(key: &RecordKey) -> String {
    format!("rc:{{{}}}:r:{}", tag(key), key.to_hex())
}

pub(super) fn due_name(key: &RecordKey) -> String {
    format!("rc:{{{}}}:due", tag(key))
}

pub(super) fn keys_name(key: &RecordKey) -> String {
    format!("rc:{{{}}}:keys", tag(key))
}

pub(super) fn due_text(due: DueAt) -> String {
    format!("{:016x}", due.unix_millis().cast_unsigned() ^ 1 << 63)
}

/// A record as it stands in Redis.
pub(super) fn value(version: Version, due: DueAt, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let due = due_text(due);
    [version.as_bytes(), due.as_bytes(), &length, payload].concat()
}
