//! A SQLite file that another process has locked.

use std::{
    io::{BufRead as _, BufReader},
    time::{Duration, Instant},
};

use rc_store::{Expect, StoreError, TokenStore as _};
use rc_store_sql::SqlStore;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

use crate::{key, processes};

#[tokio::test]
#[ignore = "another test runs it, in a process of its own"]
async fn child_locks() {
    let mut options = ConnectOptions::new(processes::database());
    options.max_connections(1);
    let database = Database::connect(options).await.expect("connects");
    database
        .execute_unprepared("BEGIN EXCLUSIVE")
        .await
        .expect("locks");
    println!("\nlocked");
    processes::wait();
    database
        .execute_unprepared("ROLLBACK")
        .await
        .expect("unlocks");
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_not_written_in_time_and_works_afterwards() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("tokens.db");
    let store = SqlStore::connect(&format!("sqlite://{}?mode=rwc", path.display())).await;
    let store = store.expect("a store");
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    let version = saved.expect("saves");

    let mut other = processes::start(
        "locked::child_locks",
        &format!("sqlite://{}", path.display()),
    );
    let said = BufReader::new(other.stdout.take().expect("its output"));
    let mut lines = said.lines().map(|line| line.expect("a line"));
    assert!(
        lines.any(|line| line == "locked"),
        "the process took no lock"
    );

    let begun = Instant::now();
    let (there, absent) = (key(0), key(1));
    let replace = store.save(&there, b"b", None, Expect::Version(version));
    let create = store.save(&absent, b"b", None, Expect::Absent);
    let delete = store.delete(&there, version);
    let (replaced, created, deleted, health) =
        tokio::join!(replace, create, delete, store.health());
    assert!(
        matches!(replaced, Err(StoreError::NotWritten(_))),
        "{replaced:?}"
    );
    assert!(
        matches!(created, Err(StoreError::NotWritten(_))),
        "{created:?}"
    );
    assert!(
        matches!(deleted, Err(StoreError::NotWritten(_))),
        "{deleted:?}"
    );
    assert!(
        matches!(health, Err(StoreError::NotWritten(_))),
        "{health:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
    let loaded = store.load(&key(0)).await.expect("reads go on");
    assert_eq!(loaded.expect("a record").version, version);

    drop(other.stdin.take());
    assert!(
        lines.any(|line| line.contains("1 passed")),
        "the process failed"
    );
    other.wait().expect("ends");
    let replaced = store
        .save(&key(0), b"b", None, Expect::Version(version))
        .await;
    replaced.expect("saves");
}
