//! Redis Cluster and Sentinel: the kit, moved slots, and failovers.

use std::{
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use rc_store::{Change, Expect, RecordKey, StoreError, TokenStore, Version};
use rc_store_redis::{ConnectError, RedisStore};

use crate::{
    cluster::Cluster,
    server::{Server, until},
};

mod kit {
    use super::*;

    /// One Cluster for the tests that run at the same time; it ends with the last of them.
    static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

    struct Place {
        cluster: Arc<Cluster>,
        prefix: String,
    }

    fn new_place() -> Place {
        let mut running = RUNNING.lock().expect("no panic");
        let cluster = running
            .upgrade()
            .unwrap_or_else(|| Arc::new(Cluster::start()));
        *running = Arc::downgrade(&cluster);
        let version = Version::random().expect("random bytes");
        let number = u128::from_be_bytes(*version.as_bytes());
        Place {
            cluster,
            prefix: format!("{number:032x}:"),
        }
    }

    async fn open(place: &Place) -> RedisStore {
        let url = format!("{}?prefix={}", place.cluster.url(), place.prefix);
        RedisStore::connect(&url).await.expect("a store")
    }

    rc_store::token_store_tests!(open, at = new_place);
}

fn key(number: u8) -> RecordKey {
    RecordKey::derive(&[b"grant", &[number]])
}

/// As an application does that is told that nothing was written, or that it is not known.
async fn create(store: &RedisStore, number: u8) -> Version {
    let started = Instant::now();
    loop {
        match store.save(&key(number), b"a", None, Expect::Absent).await {
            Ok(version) => return version,
            Err(StoreError::Conflict) => {
                let loaded = store.load(&key(number)).await;
                if let Ok(Some(stored)) = loaded {
                    return stored.version;
                }
            }
            Err(error) => assert!(started.elapsed() < Duration::from_secs(30), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_on_when_one_master_is_killed() {
    let mut cluster = Cluster::start();
    let store = RedisStore::connect(&cluster.url()).await.expect("a store");
    let mut changes = store.changes().expect("a stream");
    assert_eq!(changes.next().await, Some(Change::Gap));
    let mut versions = Vec::new();
    for number in 0..100 {
        versions.push(create(&store, number).await);
        // From whichever server it was written on.
        let told = changes.next().await;
        assert!(matches!(told, Some(Change::Key { .. })), "{told:?}");
    }
    let is_master = |server: &Server| server.ask(&["ROLE"]).starts_with("master");
    for server in &cluster.servers {
        // So that what is killed has told its replica.
        until(|| !is_master(server) || server.ask(&["WAIT", "1", "100"]).trim() == "1");
    }
    let master = cluster.servers.iter().position(is_master);
    cluster.servers[master.expect("a master")].kill();
    for number in 100..200 {
        versions.push(create(&store, number).await);
    }
    store.health().await.expect("is healthy");
    for (number, version) in (0..).zip(versions) {
        let loaded = store.load(&key(number)).await.expect("loads");
        assert_eq!(loaded.expect("a record").version, version, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_is_followed() {
    let cluster = Cluster::start();
    let store = RedisStore::connect(&cluster.url()).await.expect("a store");
    for number in 0..100 {
        create(&store, number).await;
    }
    let id = |server: &Server| server.ask(&["CLUSTER", "MYID"]).trim().to_owned();
    let address = format!("127.0.0.1:{}", cluster.servers[0].port);
    let (from, to) = (id(&cluster.servers[0]), id(&cluster.servers[1]));
    let moved = cluster.servers[0].ask(&[
        "--cluster",
        "reshard",
        &address,
        "--cluster-from",
        &from,
        "--cluster-to",
        &to,
        "--cluster-slots",
        "3000",
        "--cluster-yes",
    ]);
    assert!(moved.contains("Moving slot"), "{moved}");
    for number in 0..100 {
        let loaded = store.load(&key(number)).await.expect("loads");
        let expect = Expect::Version(loaded.expect("a record").version);
        store
            .save(&key(number), b"b", None, expect)
            .await
            .expect("saves");
    }
    assert_eq!(store.scan(None, 100).await.expect("lists").len(), 100);
}

/// Watches a master, and makes its replica the master half a second after it is gone.
fn sentinel(master: u16) -> Server {
    let watched = format!(
        "sentinel monitor tokens 127.0.0.1 {master} 1\n\
         sentinel down-after-milliseconds tokens 500\n\
         sentinel failover-timeout tokens 3000\n"
    );
    Server::serve(vec![watched, "--sentinel".to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinel_leads_to_the_new_master() {
    let mut master = Server::start(&[]);
    let port = master.port.to_string();
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {port}")]);
    until(|| {
        master
            .ask(&["INFO", "replication"])
            .contains("state=online")
    });
    let sentinel = sentinel(master.port);
    let url = format!(
        "redis-sentinel://127.0.0.1:9,127.0.0.1:{}/tokens",
        sentinel.port
    );
    until(|| {
        sentinel
            .ask(&["SENTINEL", "replicas", "tokens"])
            .contains("slave")
    });
    let store = RedisStore::connect(&url).await.expect("a store");
    let version = create(&store, 1).await;
    until(|| replica.ask(&["DBSIZE"]) == master.ask(&["DBSIZE"]));
    master.kill();
    create(&store, 2).await;
    store.health().await.expect("is healthy");
    let loaded = store.load(&key(1)).await.expect("loads");
    assert_eq!(loaded.expect("a record").version, version);
    assert!(replica.ask(&["ROLE"]).starts_with("master"));
}

#[tokio::test]
async fn a_service_that_no_sentinel_knows_is_said() {
    let refused = RedisStore::connect("redis-sentinel://127.0.0.1:9/tokens").await;
    assert!(
        matches!(refused, Err(ConnectError::Unavailable { .. })),
        "{refused:?}"
    );
}
