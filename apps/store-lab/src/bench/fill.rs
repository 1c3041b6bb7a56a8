//! Many records at once, as the stores would have left them.

use std::ops::Range;

use rc_store::{DueAt, RecordKey, Version};
use redis::aio::MultiplexedConnection;
use sea_orm::sqlx::{self, MySqlPool, PgPool, SqlitePool};

use super::{
    bare::{self, Bare},
    records, text,
};

/// So many records in one statement, transaction or pipeline.
const PART: u64 = 1000;

const INSERT: &str =
    "INSERT INTO rc_records (record_key, version, payload, due) VALUES (?, ?, ?, ?)";

/// A record as a store writes it.
pub(super) struct Row {
    pub(super) key: RecordKey,
    pub(super) version: Version,
    pub(super) payload: Vec<u8>,
    pub(super) due: DueAt,
}

impl Row {
    fn numbered(number: u64) -> Self {
        Self {
            key: records::key(number),
            version: records::version(number),
            payload: records::payload(number),
            due: records::due(number),
        }
    }
}

/// Makes the records of these numbers, and lets the backend write them out before anything is measured.
pub(super) async fn fill(bare: &Bare, numbers: Range<u64>) -> Result<(), String> {
    let mut from = numbers.start;
    while from < numbers.end {
        let part = from..numbers.end.min(from + PART);
        from = part.end;
        match bare {
            Bare::Postgres(pool) => postgres(pool, part).await.map_err(text)?,
            Bare::MySql(pool) => mysql(pool, part).await.map_err(text)?,
            Bare::Sqlite(pool) => sqlite(pool, part.map(Row::numbered)).await.map_err(text)?,
            Bare::Redis(connection) => redis(connection.clone(), part).await?,
        }
    }
    settle(bare).await.map_err(text)
}

async fn settle(bare: &Bare) -> Result<(), sqlx::Error> {
    match bare {
        Bare::Postgres(pool) => {
            sqlx::query("VACUUM ANALYZE rc_records")
                .execute(pool)
                .await?;
            sqlx::query("CHECKPOINT").execute(pool).await?;
        }
        Bare::MySql(pool) => {
            sqlx::query("ANALYZE TABLE rc_records")
                .execute(pool)
                .await?;
        }
        Bare::Sqlite(pool) => {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(pool)
                .await?;
        }
        Bare::Redis(_) => {}
    }
    Ok(())
}

async fn postgres(pool: &PgPool, numbers: Range<u64>) -> Result<(), sqlx::Error> {
    let of = |column: fn(u64) -> Vec<u8>| numbers.clone().map(column).collect::<Vec<_>>();
    let due: Vec<i64> = numbers
        .clone()
        .map(|number| records::due(number).unix_millis())
        .collect();
    sqlx::query(
        "INSERT INTO rc_records (record_key, version, payload, due) \
         SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[])",
    )
    .bind(of(|number| records::key(number).as_bytes().to_vec()))
    .bind(of(|number| records::version(number).as_bytes().to_vec()))
    .bind(of(records::payload))
    .bind(due)
    .execute(pool)
    .await?;
    Ok(())
}

async fn mysql(pool: &MySqlPool, numbers: Range<u64>) -> Result<(), sqlx::Error> {
    let mut rows = pool.begin().await?;
    for number in numbers {
        sqlx::query(INSERT)
            .bind(records::key(number).as_bytes().as_slice())
            .bind(records::version(number).as_bytes().as_slice())
            .bind(records::payload(number))
            .bind(records::due(number).unix_millis())
            .execute(&mut *rows)
            .await?;
    }
    rows.commit().await
}

/// All in one transaction.
pub(super) async fn sqlite(
    pool: &SqlitePool,
    rows: impl IntoIterator<Item = Row>,
) -> Result<(), sqlx::Error> {
    let mut writing = pool.begin().await?;
    for row in rows {
        sqlx::query(INSERT)
            .bind(row.key.to_hex())
            .bind(row.version.as_bytes().as_slice())
            .bind(row.payload)
            .bind(row.due.unix_millis())
            .execute(&mut *writing)
            .await?;
    }
    writing.commit().await
}

async fn redis(mut connection: MultiplexedConnection, numbers: Range<u64>) -> Result<(), String> {
    bare::load_script(&mut connection).await?;
    let mut commands = redis::pipe();
    for number in numbers {
        let (key, due) = (records::key(number), records::due(number));
        let value = bare::value(records::version(number), due, &records::payload(number));
        let hex = key.to_hex();
        commands.set(bare::record_name(&key), value).ignore();
        commands
            .zadd(bare::due_name(&key), bare::due_text(due) + &hex, 0)
            .ignore();
        commands.zadd(bare::keys_name(&key), hex, 0).ignore();
    }
    commands.exec_async(&mut connection).await.map_err(text)
}
