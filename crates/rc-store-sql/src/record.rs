//! The table of records.

use std::fmt;

use rc_store::{DueAt, DueCursor, RecordKey, StoreError, Stored, Version};
use sea_orm::{
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
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

impl TryFrom<Model> for Stored {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let payload = row.payload.into();
        let version = version(row.version)?;
        let due = row.due.map(DueAt::from_unix_millis);
        Ok(Self {
            payload,
            version,
            due,
        })
    }
}

/// One whole record.
pub(crate) fn one(key: &RecordKey) -> SelectStatement {
    Entity::find_by_id(key.to_hex()).into_query()
}

/// Keys and versions of these records, those that are there, in any order.
pub(crate) fn versions(keys: &[RecordKey]) -> SelectStatement {
    Entity::find()
        .select_only()
        .columns([Column::RecordKey, Column::Version])
        .filter(Column::RecordKey.is_in(keys.iter().map(RecordKey::to_hex)))
        .into_query()
}

/// A version from its column.
pub(crate) fn version(bytes: Vec<u8>) -> Result<Version, StoreError> {
    let bytes = <[u8; 16]>::try_from(bytes);
    let bytes = bytes.map_err(|_| StoreError::corrupt("its version has not 16 bytes"))?;
    Ok(Version::new(bytes))
}

/// Keys and due times in the order of both. Answered from their index alone.
pub(crate) fn due(after: Option<DueCursor>, before: DueAt, limit: u64) -> SelectStatement {
    let mut query = Entity::find()
        .select_only()
        .columns([Column::RecordKey, Column::Due])
        .filter(Column::Due.lte(before.unix_millis()));
    if let Some(DueCursor { due, key }) = after {
        let place = Expr::tuple([Expr::col(Column::Due), Expr::col(Column::RecordKey)]);
        let seen = [Expr::value(due.unix_millis()), Expr::value(key.to_hex())];
        query = query.filter(place.gt(Expr::tuple(seen)));
    }
    query
        .order_by_asc(Column::Due)
        .order_by_asc(Column::RecordKey)
        .limit(limit)
        .into_query()
}

/// Whole records in the order of their keys.
pub(crate) fn scan(after: Option<RecordKey>, limit: u64) -> SelectStatement {
    let mut query = Entity::find();
    if let Some(key) = after {
        query = query.filter(Column::RecordKey.gt(key.to_hex()));
    }
    query
        .order_by_asc(Column::RecordKey)
        .limit(limit)
        .into_query()
}
