//! A file that is locked, full, may only be read, or is gone.

use std::time::Duration;

use rc_store::{Expect, StoreError, TokenStore};
use sea_orm::{Database, sqlx};
use tempfile::TempDir;

use super::{DUE, connections, key, new_store, url};
use crate::{SqlStore, sqlite};

/// A second handle that gives up early.
async fn impatient(directory: &TempDir) -> SqlStore {
    let options = sqlite::options(&url(directory), Duration::from_millis(20));
    SqlStore::on(Database::connect(options).await.expect("connects"))
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
