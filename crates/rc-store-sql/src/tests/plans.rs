//! Which index answers a query.

use rc_store::{DueAt, DueCursor};
use sea_orm::{
    ConnectionTrait as _, DbBackend, Statement,
    sea_query::{SelectStatement, SqliteQueryBuilder},
};
use tempfile::TempDir;

use super::{key, new_store, url};
use crate::{SqlStore, record};

/// A store none of whose connections is older than its index: unlike a query, `EXPLAIN` does not notice
/// that the schema has changed.
async fn settled_store() -> (TempDir, SqlStore) {
    let (directory, _) = new_store().await;
    let store = SqlStore::connect(&url(&directory)).await.expect("a store");
    (directory, store)
}

async fn plan(store: &SqlStore, query: &SelectStatement) -> String {
    let (sql, values) = query.build(SqliteQueryBuilder);
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let explain = Statement {
        sql: explain,
        values: Some(values),
        db_backend: DbBackend::Sqlite,
    };
    let rows = store
        .database()
        .query_all_raw(explain)
        .await
        .expect("a plan");
    let steps: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", "detail").expect("a step"))
        .collect();
    steps.join("\n")
}

#[tokio::test]
async fn due_is_answered_from_its_index_alone() {
    let (_directory, store) = settled_store().await;
    let before = DueAt::from_unix_millis(2_000);
    let cursor = DueCursor {
        due: DueAt::from_unix_millis(1_000),
        key: key("a"),
    };
    let index = "SEARCH rc_records USING COVERING INDEX rc_records_by_due";
    let first = plan(&store, &record::due(DbBackend::Sqlite, None, before, 100)).await;
    assert_eq!(first, format!("{index} (due<?)"));
    let next = plan(
        &store,
        &record::due(DbBackend::Sqlite, Some(cursor), before, 100),
    )
    .await;
    assert_eq!(next, format!("{index} ((due,record_key)>(?,?) AND due<?)"));
}

#[tokio::test]
async fn load_and_scan_use_the_primary_key() {
    let (_directory, store) = settled_store().await;
    let index = "SEARCH rc_records USING INDEX sqlite_autoindex_rc_records_1";
    assert_eq!(
        plan(&store, &record::one(DbBackend::Sqlite, &key("a"))).await,
        format!("{index} (record_key=?)")
    );
    let scan = record::scan(DbBackend::Sqlite, Some(key("a")), 100);
    assert_eq!(plan(&store, &scan).await, format!("{index} (record_key>?)"));
}

#[tokio::test]
async fn versions_use_the_primary_key() {
    let (_directory, store) = settled_store().await;
    let query = record::versions(DbBackend::Sqlite, &[key("a"), key("b")]);
    let index = "SEARCH rc_records USING INDEX sqlite_autoindex_rc_records_1";
    let plan = plan(&store, &query).await;
    assert_eq!(plan, format!("{index} (record_key=?)"));
    let (sql, _) = query.build(SqliteQueryBuilder);
    assert!(!sql.contains("payload"), "{sql}");
}
