//! What only shows from inside: connections, query plans, and faults of the database.

use std::time::Duration;

use rc_store::{DueAt, DueCursor, Expect, KeyRing, RecordKey, Sealed, StoreError, TokenStore};
use sea_orm::{
    ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
    sea_query::{SelectStatement, SqliteQueryBuilder},
    sqlx::{self, Row as _, Sqlite, pool::PoolConnection},
};
use tempfile::TempDir;

use crate::{SqlStore, record, sqlite};

const DUE: Option<DueAt> = Some(DueAt::from_unix_millis(1_000));

fn key(name: &str) -> RecordKey {
    RecordKey::derive(&[name.as_bytes()])
}

fn url(directory: &TempDir) -> String {
    format!(
        "sqlite://{}?mode=rwc",
        directory.path().join("tokens.db").display()
    )
}

async fn new_store() -> (TempDir, SqlStore) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqlStore::connect(&url(&directory)).await.expect("a store");
    (directory, store)
}

/// A second handle that gives up early.
async fn impatient(directory: &TempDir) -> SqlStore {
    let options = sqlite::options(&url(directory), Duration::from_millis(20));
    SqlStore::on(Database::connect(options).await.expect("connects"))
}

/// Every connection the pool can have, all at once.
async fn connections(store: &SqlStore) -> Vec<PoolConnection<Sqlite>> {
    let pool = store.database().get_sqlite_connection_pool();
    let mut connections = Vec::new();
    for _ in 0..sqlite::CONNECTIONS {
        connections.push(pool.acquire().await.expect("a connection"));
    }
    assert!(
        pool.try_acquire().is_none(),
        "the pool has more connections"
    );
    connections
}

async fn execute(database: &DatabaseConnection, sql: &str) {
    database.execute_unprepared(sql).await.expect(sql);
}

#[tokio::test]
async fn every_connection_is_durable_and_patient() {
    let (_directory, store) = new_store().await;
    for mut connection in connections(&store).await {
        let mut pragma = async |name| {
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA {name}"));
            let row = sqlx::query(sql)
                .fetch_one(&mut *connection)
                .await
                .expect("a pragma");
            row.try_get_unchecked::<String, _>(0).expect("a value")
        };
        assert_eq!(pragma("journal_mode").await, "wal");
        assert_eq!(pragma("synchronous").await, "2", "FULL is 2");
        assert_eq!(pragma("busy_timeout").await, "5000");
        assert_eq!(pragma("fullfsync").await, "1");
    }
}

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

#[tokio::test]
async fn versions_of_more_keys_than_a_statement_takes_are_answered() {
    let (_directory, store) = new_store().await;
    let saved = store.save(&key("a"), b"one", None, Expect::Absent).await;
    let version = saved.expect("saved");
    let mut keys: Vec<RecordKey> = (0..40_000).map(|number| key(&number.to_string())).collect();
    let mut expected = vec![None; keys.len()];
    for index in [0, 999, 1_000, 32_766, 39_999] {
        keys[index] = key("a");
        expected[index] = Some(version);
    }
    let versions = store.versions(&keys).await.expect("versions");
    assert!(versions == expected);
}

#[tokio::test]
async fn a_locked_database_writes_nothing_and_works_again_later() {
    let (directory, store) = new_store().await;
    let first = store
        .save(&key("a"), b"one", DUE, Expect::Absent)
        .await
        .expect("saved");
    let other = impatient(&directory).await;

    let mut connections = connections(&store).await;
    let lock = &mut *connections[0];
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *lock)
        .await
        .expect("the lock");
    let refused = other
        .save(&key("a"), b"two", None, Expect::Version(first))
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotWritten(_))),
        "{refused:?}"
    );
    let refused = other.delete(&key("a"), first).await;
    assert!(
        matches!(refused, Err(StoreError::NotWritten(_))),
        "{refused:?}"
    );
    assert!(
        other.load(&key("a")).await.is_ok(),
        "reads go on beside a writer"
    );
    sqlx::query("ROLLBACK")
        .execute(lock)
        .await
        .expect("unlocked");

    other
        .save(&key("a"), b"two", None, Expect::Version(first))
        .await
        .expect("saved");
}

#[tokio::test]
async fn a_read_only_database_writes_nothing_and_works_again_later() {
    let (_directory, store) = new_store().await;
    let first = store
        .save(&key("a"), b"one", None, Expect::Absent)
        .await
        .expect("saved");
    for mut connection in connections(&store).await {
        sqlx::query("PRAGMA query_only = ON")
            .execute(&mut *connection)
            .await
            .expect("set");
    }
    let refused = store
        .save(&key("a"), b"two", None, Expect::Version(first))
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotWritten(_))),
        "{refused:?}"
    );
    let stored = store
        .load(&key("a"))
        .await
        .expect("loads")
        .expect("a record");
    assert_eq!(
        (stored.payload.as_slice(), stored.version),
        (&b"one"[..], first)
    );

    for mut connection in connections(&store).await {
        sqlx::query("PRAGMA query_only = OFF")
            .execute(&mut *connection)
            .await
            .expect("set");
    }
    store
        .save(&key("a"), b"two", None, Expect::Version(first))
        .await
        .expect("saved");
}

#[tokio::test]
async fn a_full_disk_writes_and_tears_nothing() {
    let (_directory, store) = new_store().await;
    let first = store
        .save(&key("a"), b"one", DUE, Expect::Absent)
        .await
        .expect("saved");
    for mut connection in connections(&store).await {
        sqlx::query("PRAGMA max_page_count = 1")
            .execute(&mut *connection)
            .await
            .expect("set");
    }
    let refused = store
        .save(&key("a"), &[7; 60_000], None, Expect::Version(first))
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotWritten(_))),
        "{refused:?}"
    );
    let stored = store
        .load(&key("a"))
        .await
        .expect("loads")
        .expect("a record");
    assert_eq!(
        (stored.payload.as_slice(), stored.version),
        (&b"one"[..], first)
    );
    assert_eq!(stored.due, DUE);

    for mut connection in connections(&store).await {
        let more = "PRAGMA max_page_count = 1000000";
        sqlx::query(more)
            .execute(&mut *connection)
            .await
            .expect("set");
    }
    store
        .save(&key("a"), &[7; 60_000], None, Expect::Version(first))
        .await
        .expect("saved");
}

#[tokio::test]
async fn a_call_that_gets_no_connection_ends() {
    let (_directory, store) = new_store().await;
    let _all = connections(&store).await;
    tokio::time::pause();
    let refused = store.load(&key("a")).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = store.save(&key("a"), b"one", None, Expect::Absent).await;
    assert!(
        matches!(refused, Err(StoreError::NotWritten(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let (_directory, store) = new_store().await;
    store.clone().close().await.expect("closed");
    let refused = store.load(&key("a")).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = store.versions(&[key("a")]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_schema_refuses_what_is_no_record() {
    let (_directory, store) = new_store().await;
    let hex = key("a").to_hex();
    for values in [
        format!("'{}', zeroblob(16), x'00', NULL", hex.to_uppercase()),
        format!("'{}', zeroblob(16), x'00', NULL", &hex[1..]),
        format!("'{hex}', zeroblob(15), x'00', NULL"),
        format!("'{hex}', '0123456789abcdef', x'00', NULL"),
        format!("'{hex}', zeroblob(16), 'text', NULL"),
    ] {
        let insert = format!("INSERT INTO rc_records VALUES ({values})");
        assert!(
            store.database().execute_unprepared(&insert).await.is_err(),
            "{values}"
        );
    }
}

#[tokio::test]
async fn a_bad_row_is_corrupt_and_hides_no_other() {
    let (_directory, store) = new_store().await;
    let keys = ["a", "b", "c"].map(key);
    let mut written = Vec::new();
    for key in &keys {
        let saved = store.save(key, b"payload", DUE, Expect::Absent).await;
        written.push(Some(saved.expect("saved")));
    }
    for change in ["version = x'0102'", "version = 'text'", "due = 'never'"] {
        let mut connections = connections(&store).await;
        let connection = &mut *connections[0];
        let update = format!(
            "PRAGMA ignore_check_constraints = ON; \
             UPDATE rc_records SET {change} WHERE record_key = '{}'",
            key("b").to_hex()
        );
        let update = sqlx::raw_sql(sqlx::AssertSqlSafe(update));
        update.execute(connection).await.expect("edited");
        drop(connections);

        let loaded = store.load(&key("b")).await;
        assert!(
            matches!(loaded, Err(StoreError::Corrupt(_))),
            "{change}: {loaded:?}"
        );
        let listed = store.scan(None, 10).await.expect("scans");
        assert_eq!(listed.len(), 3);
        for item in listed {
            assert_eq!(item.stored.is_err(), item.key == key("b"), "{change}");
        }
        let versions = store.versions(&keys).await.expect("versions");
        assert_eq!((versions[0], versions[2]), (written[0], written[2]));
        assert!(versions[1].is_some_and(|bad| Some(bad) != written[1]));
    }
    assert!(store.load(&key("a")).await.is_ok());
}

#[tokio::test]
async fn edited_columns_of_sealed_rows_are_corrupt() {
    let (_directory, store) = new_store().await;
    let sealed = Sealed::new(store.clone(), KeyRing::generate("test").expect("a ring"));
    for name in ["a", "b", "c"] {
        sealed
            .save(&key(name), b"payload", DUE, Expect::Absent)
            .await
            .expect("saved");
    }
    let row = |name| format!("record_key = '{}'", key(name).to_hex());
    let payload = |name| format!("(SELECT payload FROM rc_records WHERE {})", row(name));
    let set = |what: String, name| format!("UPDATE rc_records SET {what} WHERE {}", row(name));
    execute(store.database(), &set("due = due + 1".into(), "a")).await;
    execute(
        store.database(),
        &set(format!("payload = {}", payload("c")), "b"),
    )
    .await;
    for name in ["a", "b"] {
        let loaded = sealed.load(&key(name)).await;
        assert!(
            matches!(loaded, Err(StoreError::Corrupt(_))),
            "{name}: {loaded:?}"
        );
    }
    assert!(sealed.load(&key("c")).await.is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_moved_away_is_neither_read_nor_written_until_it_is_back() {
    let (directory, store) = new_store().await;
    let saved = store.save(&key("a"), b"one", None, Expect::Absent).await;
    let version = saved.expect("saves");
    let (path, away) = (
        directory.path().join("tokens.db"),
        directory.path().join("away.db"),
    );
    std::fs::rename(&path, &away).expect("moves");
    for replaced in [false, true] {
        if replaced {
            std::fs::write(&path, b"").expect("another file");
        }
        let saved = store.save(&key("b"), b"two", None, Expect::Absent).await;
        assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
        let loaded = store.load(&key("a")).await;
        assert!(loaded.is_err(), "{loaded:?}");
        let health = store.health().await;
        assert!(health.is_err(), "{health:?}");
    }
    std::fs::rename(&away, &path).expect("moves back");
    let loaded = store.load(&key("a")).await.expect("loads");
    assert_eq!(loaded.expect("a record").version, version);
}
