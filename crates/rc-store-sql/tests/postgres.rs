//! The kit of `rc-store` on a PostgreSQL server, and what only a server does.
#![cfg(feature = "postgres")]

use std::time::Duration;

use futures_util::StreamExt as _;
use rc_store::{Change, Expect, KeyRing, RecordKey, Sealed, StoreError, TokenStore};
use rc_store_sql::{ConnectError, SqlStore};
use sea_orm::ConnectionTrait as _;

mod database;

use database::{Engine, Place, connect, side};

static SERVER: Engine = Engine {
    variable: "RC_TEST_POSTGRES_URL",
    default: "postgres://postgres@127.0.0.1:5432",
    administration: "postgres",
    drop: " WITH (FORCE)",
    how_to_start: "no PostgreSQL server answers; start one and name it in \
    RC_TEST_POSTGRES_URL (default: postgres://postgres@127.0.0.1:5432), or leave out the feature `postgres`",
};

fn new_place() -> Place {
    Place::on(&SERVER)
}

/// Ends the connections of everybody else, as a restart of the server does.
async fn disconnect_all(place: &Place) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended = side(place).await.execute_unprepared(sql).await;
    ended.expect("ends connections");
}

/// Refuses and ends all connections to the database, or lets them in again.
async fn refuse(place: &Place, down: bool) {
    let name = &place.name;
    SERVER.administer(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !down));
    if down {
        SERVER.administer(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
    }
}

/// Overwrites what was sealed.
async fn damage(place: &Place, key: &RecordKey) {
    let spoil = "UPDATE rc_records SET payload = payload || '\\x00'::bytea";
    let spoil = format!("{spoil} WHERE record_key = '\\x{}'", key.to_hex());
    let spoilt = side(place).await.execute_unprepared(&spoil).await;
    spoilt.expect("overwrites");
}

mod plain {
    use super::*;

    rc_store::token_store_tests!(connect, at = new_place, notifying, fault = refuse);
}

mod sealed {
    use super::*;

    fn new_sealed_place() -> (Place, KeyRing) {
        (new_place(), KeyRing::generate("test").expect("a ring"))
    }

    async fn open((place, ring): &(Place, KeyRing)) -> Sealed<Box<dyn TokenStore>> {
        Sealed::new(Box::new(connect(place).await), ring.clone())
    }

    async fn fault((place, _): &(Place, KeyRing), down: bool) {
        refuse(place, down).await;
    }

    async fn spoil((place, _): &(Place, KeyRing), key: &RecordKey) {
        damage(place, key).await;
    }

    rc_store::token_store_tests!(
        open,
        at = new_sealed_place,
        notifying,
        fault = fault,
        damage = spoil
    );
}

fn key() -> RecordKey {
    RecordKey::derive(&[b"grant"])
}

#[tokio::test]
async fn a_write_is_told_by_key_and_version() {
    let place = new_place();
    let (store, other) = (connect(&place).await, connect(&place).await);
    let mut changes = store.changes().expect("a stream");
    assert_eq!(changes.next().await, Some(Change::Gap));
    let version = other.save(&key(), b"a", None, Expect::Absent).await;
    let version = version.expect("saves");
    let told = |version| {
        Some(Change::Key {
            key: key(),
            version,
        })
    };
    assert_eq!(changes.next().await, told(Some(version)));
    other.delete(&key(), version).await.expect("deletes");
    assert_eq!(changes.next().await, told(None));
}

#[tokio::test]
async fn a_lost_connection_is_a_gap_and_the_stream_goes_on() {
    let place = new_place();
    let store = connect(&place).await;
    let mut changes = store.changes().expect("a stream");
    assert_eq!(changes.next().await, Some(Change::Gap));
    disconnect_all(&place).await;
    assert_eq!(changes.next().await, Some(Change::Gap), "lost");
    assert_eq!(changes.next().await, Some(Change::Gap), "opened again");
    let other = connect(&place).await;
    let version = other.save(&key(), b"a", None, Expect::Absent).await;
    let version = Some(version.expect("saves"));
    let key = key();
    assert_eq!(changes.next().await, Some(Change::Key { key, version }));
}

/// Reads side by side, so that the pool has several connections that wait.
async fn fill_pool(store: &SqlStore) {
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let store = store.clone();
        reads.spawn(async move { store.load(&key()).await.map(|_| ()) });
    }
    for read in reads.join_all().await {
        read.expect("loads");
    }
}

#[tokio::test]
async fn a_store_goes_on_after_all_its_connections_were_ended() {
    let place = new_place();
    let store = connect(&place).await;
    let version = store.save(&key(), b"a", None, Expect::Absent).await;
    let version = version.expect("saves");
    disconnect_all(&place).await;
    let loaded = store.load(&key()).await;
    let loaded = loaded.expect("loads").expect("a record");
    assert_eq!(loaded.version, version);
    fill_pool(&store).await;
    disconnect_all(&place).await;
    let second = store
        .save(&key(), b"b", None, Expect::Version(version))
        .await;
    let second = second.expect("saves on a new connection");
    fill_pool(&store).await;
    disconnect_all(&place).await;
    store.health().await.expect("healthy");
    fill_pool(&store).await;
    disconnect_all(&place).await;
    let deleted = store.delete(&key(), second).await;
    deleted.expect("deletes on a new connection");
}

#[tokio::test]
async fn a_server_that_may_only_be_read_says_so_until_it_may_be_written() {
    let place = new_place();
    let store = connect(&place).await;
    let read_only = |on| {
        let name = &place.name;
        SERVER.administer(format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = {on}"
        ));
    };
    read_only("on");
    disconnect_all(&place).await;
    let loaded = store.load(&key()).await;
    assert!(loaded.expect("reads").is_none());
    for _ in 0..12 {
        let saved = store.save(&key(), b"a", None, Expect::Absent).await;
        assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
        let health = store.health().await;
        assert!(health.is_err(), "{health:?}");
    }
    read_only("off");
    // Nothing ended the connections: the store has to have let go of them itself.
    let saved = store.save(&key(), b"a", None, Expect::Absent).await;
    saved.expect("saves");
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_no_connection_behind() {
    let place = new_place();
    let store = connect(&place).await;
    let version = store.save(&key(), b"a", None, Expect::Absent).await;
    let version = version.expect("saves");
    let admin = side(&place).await;
    let lock = sea_orm::TransactionTrait::begin(&admin).await;
    let lock = lock.expect("a transaction");
    let sql = "SELECT 1 FROM rc_records FOR UPDATE";
    lock.execute_unprepared(sql).await.expect("locks");
    // More calls than the pool has connections, each dropped while it waits for the row.
    for _ in 0..20 {
        let key = key();
        let waiting = store.save(&key, b"b", None, Expect::Version(version));
        let dropped = tokio::time::timeout(Duration::from_millis(20), waiting).await;
        assert!(dropped.is_err(), "the row was not locked");
    }
    let loaded = store.load(&key()).await.expect("loads");
    assert_eq!(loaded.expect("a record").version, version);
    lock.rollback().await.expect("unlocks");
}

#[tokio::test]
async fn replicas_that_start_at_once_all_find_the_schema() {
    let place = new_place();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let url = place.url();
            tokio::spawn(async move { SqlStore::connect(&url).await })
        })
        .collect();
    for start in starts {
        let store = start.await.expect("ends").expect("a store");
        store.load(&key()).await.expect("loads");
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_refused() {
    let place = new_place();
    connect(&place).await;
    let sql = "INSERT INTO rc_store_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    let side = side(&place).await;
    side.execute_unprepared(sql).await.expect("inserts");
    let refused = SqlStore::connect(&place.url()).await;
    assert!(
        matches!(&refused, Err(ConnectError::NewerSchema { migration }) if migration == "m9999_later"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_next_due_records_come_from_their_index() {
    let place = new_place();
    connect(&place).await;
    let side = side(&place).await;
    let fill = "INSERT INTO rc_records SELECT sha256(i::text::bytea), decode(md5(i::text), 'hex'), \
                'x', i FROM generate_series(1, 20000) i; ANALYZE rc_records";
    side.execute_unprepared(fill).await.expect("fills");
    let explain = "EXPLAIN SELECT record_key, due FROM rc_records WHERE due <= 15000 \
                   AND (due, record_key) > (5000, '\\x00') ORDER BY due, record_key LIMIT 100";
    let rows = side
        .query_all_raw(sea_orm::Statement::from_string(
            side.get_database_backend(),
            explain,
        ))
        .await
        .expect("explains");
    let line = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).expect("text");
    let plan: Vec<String> = rows.iter().map(line).collect();
    let plan = plan.join("\n");
    assert!(
        plan.contains("rc_records_by_due") && !plan.contains("Sort"),
        "{plan}"
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_named_without_the_password() {
    let refused = SqlStore::connect("postgres://app:hunter2@127.0.0.1:9/app").await;
    let refused = refused.expect_err("no server is there");
    let shown = format!("{refused} {refused:?}");
    assert!(
        matches!(refused, ConnectError::Unreachable { .. }) && shown.contains("at 127.0.0.1:9;"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn behind_a_pooler_no_connection_listens() {
    let place = new_place();
    let url = format!("{}?notices=off&statement-cache-capacity=0", place.url());
    let store = SqlStore::connect(&url).await.expect("a store");
    assert!(store.changes().is_none());
    let version = store.save(&key(), b"a", None, Expect::Absent).await;
    let version = version.expect("saves");
    let loaded = store.load(&key()).await.expect("loads");
    assert_eq!(loaded.expect("a record").version, version);
}

#[tokio::test]
async fn what_a_server_refuses_is_said_by_its_kind() {
    let place = new_place();
    let missing = SqlStore::connect(&format!("{}/rc_test_missing", SERVER.server())).await;
    assert!(
        matches!(missing, Err(ConnectError::NoDatabase { .. })),
        "{missing:?}"
    );
    let encrypted = SqlStore::connect(&format!("{}?sslmode=require", place.url())).await;
    assert!(encrypted.is_err(), "the test server has no certificate");
    if !cfg!(feature = "tls") {
        assert!(
            matches!(encrypted, Err(ConnectError::NoTls)),
            "{encrypted:?}"
        );
    }
    let name = &place.name;
    SERVER.administer(format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    let read_only = SqlStore::connect(&place.url()).await;
    assert!(
        matches!(read_only, Err(ConnectError::ReadOnly { .. })),
        "{read_only:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_in_serializable_transactions_one_wins_and_the_others_conflict() {
    let place = new_place();
    let name = &place.name;
    SERVER.administer(format!(
        "ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    ));
    let store = connect(&place).await;
    let mut expect = Expect::Absent;
    for _ in 0..20 {
        let mut writes = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let store = store.clone();
            writes.spawn(async move { store.save(&key(), b"a", None, expect).await });
        }
        let mut won = Vec::new();
        for written in writes.join_all().await {
            match written {
                Ok(version) => won.push(version),
                Err(StoreError::Conflict) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(won.len(), 1);
        expect = Expect::Version(won[0]);
    }
}
