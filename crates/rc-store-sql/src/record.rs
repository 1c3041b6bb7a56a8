//! The table of records.

use std::fmt;

use rc_store::{DueAt, DueCursor, RecordKey, StoreError, Stored, Version};
use sea_orm::{
    DbBackend, QueryOrder as _, QueryResult, QuerySelect as _, QueryTrait as _,
    entity::prelude::*,
    sea_query::{ExprTrait as _, SelectStatement},
};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rc_records")]
pub(crate) struct Model {
    /// 64 lower-case hexadecimal digits: the same order and no case folding on every database.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Char(Some(64))")]
    pub(crate) record_key: String,
    /// 16 bytes.
    pub(crate) version: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    /// Milliseconds since the Unix epoch.
    pub(crate) due: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("record_key", &self.record_key)
            .finish_non_exhaustive()
    }
}

/// A whole record of a row. A row that does not have the shape of one is that record's fault, not the
/// database's.
pub(crate) fn stored(row: &QueryResult) -> Result<Stored, StoreError> {
    let bytes = |column| row.try_get::<Vec<u8>>("", column);
    let payload = bytes("payload").map_err(StoreError::corrupt)?;
    let due: Option<i64> = row.try_get("", "due").map_err(StoreError::corrupt)?;
    Ok(Stored {
        payload: payload.into(),
        version: version(bytes("version").map_err(StoreError::corrupt)?)?,
        due: due.map(DueAt::from_unix_millis),
    })
}

/// The key of a row: text on SQLite, bytes on servers.
pub(crate) fn key(row: &QueryResult) -> Result<RecordKey, StoreError> {
    let bytes = row.try_get::<Vec<u8>>("", "record_key");
    let key = match bytes.map(<[u8; 32]>::try_from) {
        Ok(Ok(bytes)) => Some(RecordKey::new(bytes)),
        _ => {
            let hex: String = row
                .try_get("", "record_key")
                .map_err(StoreError::unavailable)?;
            RecordKey::from_hex(&hex)
        }
    };
    key.ok_or_else(|| StoreError::unavailable("a row of the table has a key that is no record key"))
}

fn key_value(backend: DbBackend, key: &RecordKey) -> Value {
    match backend {
        DbBackend::Sqlite => key.to_hex().into(),
        _ => key.as_bytes().to_vec().into(),
    }
}

/// One whole record.
pub(crate) fn one(backend: DbBackend, key: &RecordKey) -> SelectStatement {
    Entity::find()
        .filter(Column::RecordKey.eq(key_value(backend, key)))
        .into_query()
}

/// Keys and versions of these records, those that are there, in any order.
pub(crate) fn versions(backend: DbBackend, keys: &[RecordKey]) -> SelectStatement {
    Entity::find()
        .select_only()
        .columns([Column::RecordKey, Column::Version])
        .filter(Column::RecordKey.is_in(keys.iter().map(|key| key_value(backend, key))))
        .into_query()
}

/// A version from its column.
pub(crate) fn version(bytes: Vec<u8>) -> Result<Version, StoreError> {
    let bytes = <[u8; 16]>::try_from(bytes);
    let bytes = bytes.map_err(|_| StoreError::corrupt("its version has not 16 bytes"))?;
    Ok(Version::new(bytes))
}

/// Keys and due times in the order of both. Answered from their index alone.
pub(crate) fn due(
    backend: DbBackend,
    after: Option<DueCursor>,
    before: DueAt,
    limit: u64,
) -> SelectStatement {
    let mut query = Entity::find()
        .select_only()
        .columns([Column::RecordKey, Column::Due])
        .filter(Column::Due.lte(before.unix_millis()));
    if let Some(DueCursor { due, key }) = after {
        let key = key_value(backend, &key);
        let place = Expr::tuple([Expr::col(Column::Due), Expr::col(Column::RecordKey)]);
        let seen = [Expr::value(due.unix_millis()), Expr::value(key.clone())];
        query = match backend {
            // MySQL finds no place in an index by a tuple.
            DbBackend::MySql => query.filter(Column::Due.gte(due.unix_millis())).filter(
                Column::Due
                    .gt(due.unix_millis())
                    .or(Column::RecordKey.gt(key)),
            ),
            _ => query.filter(place.gt(Expr::tuple(seen))),
        };
    }
    query
        .order_by_asc(Column::Due)
        .order_by_asc(Column::RecordKey)
        .limit(limit)
        .into_query()
}

/// Whole records in the order of their keys.
pub(crate) fn scan(backend: DbBackend, after: Option<RecordKey>, limit: u64) -> SelectStatement {
    let mut query = Entity::find();
    if let Some(key) = after {
        query = query.filter(Column::RecordKey.gt(key_value(backend, &key)));
    }
    query
        .order_by_asc(Column::RecordKey)
        .limit(limit)
        .into_query()
}
