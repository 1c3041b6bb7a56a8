//! The probe, poll by poll, with faults of the database.

use std::{fs, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use rc_store::{Change, ChangeStream, Expect, RecordKey, TokenStore};
use sea_orm::sqlx;
use tempfile::TempDir;

use tokio::time::{Instant, sleep};

use super::{POLL, Probe, QUICK_FOR, QUICK_POLL};
use crate::SqlStore;

fn key(name: &str) -> RecordKey {
    RecordKey::derive(&[name.as_bytes()])
}

async fn connect(directory: &TempDir) -> SqlStore {
    let path = directory.path().join("database").join("tokens.db");
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    SqlStore::connect(&url).await.expect("a store")
}

async fn new_store() -> (TempDir, SqlStore) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = connect(&directory).await;
    (directory, store)
}

async fn write(store: &SqlStore, name: &str) {
    let key = key(name);
    let saved = store.save(&key, b"payload", None, Expect::Absent).await;
    saved.expect("saved");
}

async fn next(changes: &mut ChangeStream) -> Option<Change> {
    let limit = Duration::from_secs(5);
    let next = tokio::time::timeout(limit, changes.next()).await;
    next.expect("a change within five seconds")
}

fn probe(store: &SqlStore) -> Probe {
    let pool = store.database().get_sqlite_connection_pool();
    Probe::new(
        pool.connect_options().as_ref().clone(),
        store.used.subscribe(),
    )
}

async fn moved(probe: &mut Probe) {
    let limit = Duration::from_secs(5);
    let moved = tokio::time::timeout(limit, probe.moved()).await;
    moved.expect("moves within five seconds");
}

/// Whether nothing is told during several polls.
async fn is_quiet(probe: &mut Probe) -> bool {
    let polls = 3 * POLL;
    tokio::time::timeout(polls, probe.moved()).await.is_err()
}

#[tokio::test]
async fn commits_of_this_and_of_another_handle_are_gaps() {
    let (directory, store) = new_store().await;
    let other = connect(&directory).await;
    let mut changes = store.changes().expect("changes");
    assert_eq!(next(&mut changes).await, Some(Change::Gap), "at the start");
    for (number, writer) in [&store, &other, &store].into_iter().enumerate() {
        assert_eq!(changes.next().now_or_never(), None, "nothing has changed");
        write(writer, &number.to_string()).await;
        assert_eq!(next(&mut changes).await, Some(Change::Gap));
    }
}

#[tokio::test]
async fn nothing_is_told_while_nobody_writes() {
    let (_directory, store) = new_store().await;
    let mut probe = probe(&store);
    moved(&mut probe).await;
    assert!(is_quiet(&mut probe).await);
    assert!(store.load(&key("a")).await.expect("loads").is_none());
    assert!(is_quiet(&mut probe).await, "a read is no change");
    write(&store, "a").await;
    moved(&mut probe).await;
    assert!(is_quiet(&mut probe).await);
}

#[tokio::test]
async fn the_file_is_asked_often_while_records_are_read_here() {
    let (_directory, store) = new_store().await;
    let mut probe = probe(&store);
    tokio::time::pause();
    let pause = async |probe: &mut Probe| {
        let began = Instant::now();
        probe.pause().await;
        // Timers round up to whole milliseconds.
        let tens = began.elapsed().as_millis() / 10;
        Duration::from_millis(10 * u64::try_from(tens).expect("not years"))
    };
    assert_eq!(pause(&mut probe).await, POLL, "nobody has used it yet");
    store.used.send_replace(());
    assert_eq!(pause(&mut probe).await, QUICK_POLL);
    sleep(QUICK_FOR / 2).await;
    store.used.send_replace(());
    sleep(QUICK_FOR / 2).await;
    assert_eq!(pause(&mut probe).await, QUICK_POLL, "used again meanwhile");
    sleep(QUICK_FOR).await;
    assert_eq!(pause(&mut probe).await, POLL);
    let (slow, ()) = tokio::join!(pause(&mut probe), async {
        sleep(POLL / 5).await;
        store.used.send_replace(());
    });
    assert_eq!(slow, POLL / 5 + QUICK_POLL, "used while it waits");
    drop(store);
    sleep(QUICK_FOR).await;
    assert_eq!(pause(&mut probe).await, POLL, "nobody can use it any more");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_gaps_until_it_is_back() {
    let (directory, store) = new_store().await;
    let (place, away) = (
        directory.path().join("database"),
        directory.path().join("away"),
    );
    fs::rename(&place, &away).expect("moved away");
    let mut changes = store.changes().expect("changes");
    for _ in 0..2 {
        assert_eq!(next(&mut changes).await, Some(Change::Gap));
    }
    fs::rename(&away, &place).expect("moved back");
    assert_eq!(next(&mut changes).await, Some(Change::Gap), "it is back");
    assert_eq!(changes.next().now_or_never(), None);
    write(&store, "a").await;
    assert_eq!(next(&mut changes).await, Some(Change::Gap));
}

#[tokio::test]
async fn a_lost_connection_is_a_gap_and_a_new_one_is_opened() {
    let (_directory, store) = new_store().await;
    let mut probe = probe(&store);
    moved(&mut probe).await;

    let connection = &mut probe.open.as_mut().expect("a connection").connection;
    let mut handle = connection.lock_handle().await.expect("its handle");
    handle.set_progress_handler(1, || false);
    drop(handle);
    moved(&mut probe).await;
    assert!(probe.open.is_none() && probe.failed);
    moved(&mut probe).await;
    assert!(probe.open.is_some() && !probe.failed);

    write(&store, "a").await;
    moved(&mut probe).await;
    assert!(is_quiet(&mut probe).await);
}

#[tokio::test]
async fn the_connection_cannot_write() {
    let (_directory, store) = new_store().await;
    let mut probe = probe(&store);
    moved(&mut probe).await;
    let connection = &mut probe.open.as_mut().expect("a connection").connection;
    let delete = sqlx::query("DELETE FROM rc_records");
    let refused = delete.execute(connection).await.expect_err("refused");
    assert!(refused.to_string().contains("readonly"), "{refused}");
}

#[tokio::test]
async fn streams_end_when_the_store_is_closed() {
    let (_directory, store) = new_store().await;
    let mut changes = store.changes().expect("changes");
    assert_eq!(next(&mut changes).await, Some(Change::Gap));
    store.close().await.expect("closed");
    assert_eq!(next(&mut changes).await, None);
    assert_eq!(next(&mut changes).await, None);
    let mut late = store.changes().expect("changes");
    assert_eq!(next(&mut late).await, None);
}

#[tokio::test]
async fn streams_end_when_the_last_clone_is_dropped() {
    let (_directory, store) = new_store().await;
    let mut changes = store.clone().changes().expect("changes");
    assert_eq!(next(&mut changes).await, Some(Change::Gap));
    assert_eq!(changes.next().now_or_never(), None, "the other clone lives");
    drop(store);
    assert_eq!(next(&mut changes).await, None);
}

/// SQLite removes the `-wal` file when the last connection is closed.
#[tokio::test]
async fn a_dropped_stream_leaves_no_connection() {
    let (directory, store) = new_store().await;
    write(&store, "a").await;
    let mut changes = store.changes().expect("changes");
    assert_eq!(next(&mut changes).await, Some(Change::Gap));
    store.close().await.expect("closed");
    let wal = directory.path().join("database").join("tokens.db-wal");
    assert!(wal.exists(), "the stream's connection is open");
    drop(changes);
    let gone = async {
        while wal.exists() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(5), gone).await;
    gone.expect("its connection is closed");
}
