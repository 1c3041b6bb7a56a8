//! What only shows from inside: connections, query plans, and faults of the database.

mod faults;
mod plans;
mod rows;

use rc_store::{DueAt, Expect, RecordKey, StoreError, TokenStore};
use sea_orm::sqlx::{self, Row as _, Sqlite, pool::PoolConnection};
use tempfile::TempDir;

use crate::{SqlStore, sqlite};

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
