//! A server that is killed while a store is used.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use rc_store::{Change, ChangeStream, Expect, StoreError, TokenStore, Version};
use rc_store_sql::SqlStore;
use tokio::{task::JoinSet, time::timeout};

use crate::{Engine, Server, connect, is_away, key};

const WRITERS: usize = 8;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What one writer knows of its record.
#[derive(Default)]
struct Known {
    /// The number of the last write that was answered.
    answered: u32,
    /// The number of the last write that was begun.
    begun: u32,
    version: Option<Version>,
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload.try_into().expect("a number"))
}

/// Looks what became of the writes, until the store answers.
async fn look(store: &SqlStore, writer: usize, known: &mut Known) {
    loop {
        match store.load(&key(writer)).await {
            Ok(stored) => {
                let found = stored.as_ref().map_or(0, |stored| number(&stored.payload));
                assert!(
                    (known.answered..=known.begun).contains(&found),
                    "record {writer}: found {found}, answered {}, begun {}",
                    known.answered,
                    known.begun
                );
                known.answered = found;
                known.version = stored.map(|stored| stored.version);
                return;
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Writes one number after the other until `enough` were answered by all writers.
async fn write(store: SqlStore, writer: usize, answered: Arc<AtomicUsize>, enough: usize) -> Known {
    let mut known = Known::default();
    while answered.load(Ordering::SeqCst) < enough {
        known.begun += 1;
        let expect = known.version.map_or(Expect::Absent, Expect::Version);
        let payload = known.begun.to_be_bytes();
        match store.save(&key(writer), &payload, None, expect).await {
            Ok(version) => {
                known.version = Some(version);
                known.answered = known.begun;
                answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                assert!(is_away(&error), "{error:?}");
                look(&store, writer, &mut known).await;
            }
        }
    }
    known
}

/// Waits until so many writes were answered.
async fn reached(answered: &AtomicUsize, least: usize) {
    while answered.load(Ordering::SeqCst) < least {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn keeps_every_answered_write(engine: Engine) {
    let mut server = Server::start(engine).await;
    let store = connect(&server).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let writing = write(store.clone(), writer, answered.clone(), 900);
        writers.spawn(async move { (writer, writing.await) });
    }
    // Before the last number is reached, so that calls are under way; a quick restart fails none of them.
    for kills in 1..=2 {
        reached(&answered, 300 * kills).await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.restart();
        });
    }
    for (writer, mut known) in writers.join_all().await {
        known.begun = known.answered;
        look(&store, writer, &mut known).await;
    }
    store.health().await.expect("healthy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_killed_under_load_keeps_every_answered_write() {
    let done = timeout(LIMIT, keeps_every_answered_write(Engine::Postgres)).await;
    done.expect("in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_killed_under_load_keeps_every_answered_write() {
    let done = timeout(LIMIT, keeps_every_answered_write(Engine::MariaDb)).await;
    done.expect("in time");
}

/// While a server is away every call is answered, in time.
async fn answers_while_it_is_away(engine: Engine) {
    let mut server = Server::start(engine).await;
    let store = connect(&server).await;
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    let version = saved.expect("saves");
    server.kill();
    // Side by side, because each waits some seconds for the server, and more than there are connections.
    let mut calls = JoinSet::new();
    for _ in 0..12 {
        let store = store.clone();
        calls.spawn(async move {
            let (key, expect) = (key(0), Expect::Version(version));
            tokio::join!(
                store.load(&key),
                store.save(&key, b"b", None, expect),
                store.health()
            )
        });
    }
    let begun = Instant::now();
    for (loaded, replaced, health) in calls.join_all().await {
        assert!(
            matches!(loaded, Err(StoreError::Unavailable(_))),
            "{loaded:?}"
        );
        assert!(replaced.as_ref().is_err_and(is_away), "{replaced:?}");
        assert!(health.as_ref().is_err_and(is_away), "{health:?}");
    }
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(11), "{taken:?}");
    server.restart();
    let loaded = store.load(&key(0)).await.expect("loads").expect("a record");
    assert_eq!(
        (loaded.payload.as_slice(), loaded.version),
        (&b"a"[..], version)
    );
    let replaced = store
        .save(&key(0), b"b", None, Expect::Version(version))
        .await;
    replaced.expect("saves");
}

#[tokio::test]
async fn postgres_that_is_away_is_an_error_until_it_is_back() {
    let done = timeout(LIMIT, answers_while_it_is_away(Engine::Postgres)).await;
    done.expect("in time");
}

#[tokio::test]
async fn mariadb_that_is_away_is_an_error_until_it_is_back() {
    let done = timeout(LIMIT, answers_while_it_is_away(Engine::MariaDb)).await;
    done.expect("in time");
}

async fn next(changes: &mut ChangeStream) -> Change {
    let change = timeout(Duration::from_secs(20), changes.next()).await;
    change.expect("in time").expect("no end")
}

#[tokio::test]
async fn changes_after_a_kill_are_a_gap_and_then_told_again() {
    let mut server = Server::start(Engine::Postgres).await;
    let store = connect(&server).await;
    let mut changes = store.changes().expect("a stream");
    assert_eq!(next(&mut changes).await, Change::Gap, "begun");
    server.kill();
    assert_eq!(next(&mut changes).await, Change::Gap, "lost");
    assert_eq!(next(&mut changes).await, Change::Gap, "still away");
    server.restart();
    assert_eq!(next(&mut changes).await, Change::Gap, "back");
    let version = store.save(&key(0), b"a", None, Expect::Absent).await;
    let version = Some(version.expect("saves"));
    let key = key(0);
    // While the server is starting, a try to listen may have failed and said so.
    let told = loop {
        match next(&mut changes).await {
            Change::Gap => {}
            told @ Change::Key { .. } => break told,
        }
    };
    assert_eq!(told, Change::Key { key, version });
}

/// The check of the conformance kit for what a crash leaves, alone: the others need no crash.
mod kit {
    use super::*;

    type Place = Mutex<Server>;

    fn new_place() -> Place {
        let started = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let started = Server::start(Engine::Postgres);
            Mutex::new(runtime.expect("a runtime").block_on(started))
        });
        started.join().expect("a server")
    }

    async fn open(place: &Place) -> SqlStore {
        let url = place.lock().expect("a server").url("tokens");
        SqlStore::connect(&url).await.expect("a store")
    }

    async fn crash(place: &Place) {
        let mut server = place.lock().expect("a server");
        server.kill();
        server.restart();
    }

    rc_store::token_store_tests! { @crash AsIs, (new_place), (async |place: &_| open(place).await), crash }
}
