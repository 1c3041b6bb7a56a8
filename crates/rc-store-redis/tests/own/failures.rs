//! What happens when servers die, refuse or change their minds.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use rc_store::{Change, DueAt, Expect, RecordKey, StoreError, TokenStore, Version};
use rc_store_redis::{ConnectError, Durability, RedisStore};

use crate::server::{Server, until};

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

async fn connect(server: &Server) -> RedisStore {
    let store = RedisStore::connect(&server.url()).await;
    store.expect("a store")
}

fn key(number: u8) -> RecordKey {
    RecordKey::derive(&[b"grant", &[number]])
}

async fn create(store: &RedisStore, number: u8) -> Version {
    let due = Some(DueAt::from_unix_millis(i64::from(number)));
    let version = store.save(&key(number), b"a", due, Expect::Absent).await;
    version.expect("saves")
}

#[track_caller]
fn assert_not_written<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(
        matches!(answer, Err(StoreError::NotWritten(_))),
        "{answer:?}"
    );
}

mod killed {
    use std::sync::Mutex;

    use super::*;

    fn new_place() -> Mutex<Server> {
        Mutex::new(Server::start(&DURABLE))
    }

    async fn open(place: &Mutex<Server>) -> RedisStore {
        let url = place.lock().expect("no panic").url();
        RedisStore::connect(&url).await.expect("a store")
    }

    async fn fault(place: &Mutex<Server>, down: bool) {
        let mut server = place.lock().expect("no panic");
        if down {
            server.kill();
        } else {
            server.restart();
        }
    }

    rc_store::token_store_tests!(open, at = new_place, fault = fault);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_write_is_lost_when_the_server_is_killed() {
    let mut server = Server::start(&DURABLE);
    let store = connect(&server).await;
    assert_eq!(store.durability(), Durability::Always);
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let mut answered = Vec::new();
            for number in 0..=u8::MAX {
                let saved = store.save(&key(number), b"a", None, Expect::Absent).await;
                let Ok(version) = saved else { break };
                answered.push((number, version));
            }
            answered
        }
    });
    until(|| {
        server
            .ask(&["DBSIZE"])
            .trim()
            .parse::<u32>()
            .is_ok_and(|keys| keys > 60)
    });
    server.kill();
    let answered = writer.await.expect("ends");
    server.restart();
    assert!(!answered.is_empty());
    for (number, version) in answered {
        let loaded = store.load(&key(number)).await.expect("loads");
        assert_eq!(loaded.expect("a record").version, version, "{number}");
    }
}

#[tokio::test]
async fn a_replacement_goes_on_after_a_restart() {
    let mut server = Server::start(&DURABLE);
    let store = connect(&server).await;
    let version = create(&store, 1).await;
    server.kill();
    server.restart();
    let expect = Expect::Version(version);
    store
        .save(&key(1), b"b", None, expect)
        .await
        .expect("saves");
}

#[tokio::test]
async fn a_replica_is_refused_and_a_demoted_master_is_not_healthy() {
    let master = Server::start(&[]);
    let server = Server::start(&[]);
    let store = connect(&server).await;
    create(&store, 1).await;
    let of = master.port.to_string();
    server.ask(&["REPLICAOF", "127.0.0.1", &of]);
    assert_not_written(store.health().await);
    assert_not_written(store.save(&key(2), b"a", None, Expect::Absent).await);
    let load = store.load(&key(1)).await;
    assert_not_written(load);
    let refused = RedisStore::connect(&server.url()).await;
    assert!(
        matches!(refused, Err(ConnectError::Unavailable { .. })),
        "{refused:?}"
    );
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    store.health().await.expect("is healthy");
    create(&store, 3).await;
}

#[tokio::test]
async fn a_server_without_memory_or_replicas_takes_nothing_and_keeps_what_it_has() {
    let server = Server::start(&["--maxmemory-policy", "volatile-lru"]);
    let store = connect(&server).await;
    let version = create(&store, 1).await;
    for (setting, bad, good) in [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")] {
        server.ask(&["CONFIG", "SET", setting, bad]);
        assert_not_written(store.health().await);
        let saved = store
            .save(&key(1), b"b", None, Expect::Version(version))
            .await;
        assert_not_written(saved);
        let loaded = store.load(&key(1)).await.expect("loads").expect("a record");
        assert_eq!(loaded.version, version, "{setting}");
        let due = store.due(None, DueAt::from_unix_millis(9), 10).await;
        assert_eq!(due.expect("lists").len(), 1, "{setting}");
        server.ask(&["CONFIG", "SET", setting, good]);
        store.health().await.expect("is healthy");
    }
}

#[tokio::test]
async fn a_server_that_throws_records_away_is_refused() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let refused = RedisStore::connect(&server.url()).await;
    assert!(
        matches!(&refused, Err(ConnectError::Evicts { policy }) if policy == "allkeys-lru"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn durability_is_what_the_server_says_or_unknown() {
    let server = Server::start(&[]);
    assert_eq!(connect(&server).await.durability(), Durability::None);
    server.ask(&["CONFIG", "SET", "appendonly", "yes"]);
    assert_eq!(connect(&server).await.durability(), Durability::EverySecond);
    server.ask(&["ACL", "SETUSER", "default", "-config"]);
    assert_eq!(connect(&server).await.durability(), Durability::Unknown);
}

#[tokio::test]
async fn the_rights_that_the_readme_names_are_enough() {
    let server = Server::start(&[]);
    let rights = "on >hunter2 ~rc:* &rc:changes +get +set +del +getrange +exists +zadd +zrem +zrange \
                  +zrangebylex +publish +subscribe +ping +eval +evalsha";
    let mut words = vec!["ACL", "SETUSER", "app"];
    words.extend(rights.split_whitespace());
    assert_eq!(server.ask(&words).trim(), "OK");
    let url = format!("redis://app:hunter2@127.0.0.1:{}", server.port);
    let store = RedisStore::connect(&url).await.expect("a store");
    assert!(!format!("{store:?}").contains("hunter2"));
    let mut changes = store.changes().expect("a stream");
    assert_eq!(changes.next().await, Some(Change::Gap));
    let version = create(&store, 1).await;
    assert!(matches!(changes.next().await, Some(Change::Key { .. })));
    assert_eq!(store.scan(None, 9).await.expect("lists").len(), 1);
    store.delete(&key(1), version).await.expect("deletes");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let server = Server::start(&["--requirepass", "correct"]);
    for login in ["", "app:hunter2@", ":hunter2@"] {
        let url = format!("redis://{login}127.0.0.1:{}", server.port);
        let refused = RedisStore::connect(&url).await;
        let shown = format!("{refused:?}");
        assert!(
            matches!(refused, Err(ConnectError::LoginRefused { .. })),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = Server::start(&[]);
    let store = connect(&server).await;
    let version = create(&store, 1).await;
    server.ask(&["SCRIPT", "FLUSH"]);
    store.delete(&key(1), version).await.expect("deletes");
    server.ask(&["SCRIPT", "FLUSH"]);
    create(&store, 1).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_within_ten_seconds_and_used_again() {
    let server = Server::start(&[]);
    let store = connect(&server).await;
    server.signal("STOP");
    let started = Instant::now();
    let saved = store.save(&key(1), b"a", None, Expect::Absent).await;
    assert_not_written(saved);
    assert!(started.elapsed() < Duration::from_secs(10));
    server.signal("CONT");
    store.health().await.expect("is healthy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_subscription_is_a_gap_and_the_stream_goes_on() {
    let server = Server::start(&[]);
    let store = connect(&server).await;
    let mut changes = store.changes().expect("a stream");
    assert_eq!(changes.next().await, Some(Change::Gap));
    server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(changes.next().await, Some(Change::Gap), "lost");
    assert_eq!(changes.next().await, Some(Change::Gap), "opened again");
    let version = Some(create(&store, 1).await);
    let key = key(1);
    assert_eq!(changes.next().await, Some(Change::Key { key, version }));
    drop(changes);
    until(|| server.ask(&["PUBSUB", "CHANNELS"]).trim().is_empty());
}
