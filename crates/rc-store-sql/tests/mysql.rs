//! The kit of `rc-store` on a MySQL or MariaDB server, and what only a server does.
#![cfg(feature = "mysql")]

use std::time::Duration;

use rc_store::{Expect, KeyRing, RecordKey, Sealed, TokenStore};
use rc_store_sql::{ConnectError, SqlStore};
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};

mod database;

use database::{Engine, Place, connect, side};

static SERVER: Engine = Engine {
    variable: "RC_TEST_MYSQL_URL",
    default: "mysql://root@127.0.0.1:3306",
    administration: "mysql",
    drop: "",
    how_to_start: "no MySQL or MariaDB server answers; start one and name it in \
    RC_TEST_MYSQL_URL (default: mysql://root@127.0.0.1:3306), or leave out the feature `mysql`",
};

fn new_place() -> Place {
    Place::on(&SERVER)
}

/// Takes the table away, and puts it back.
async fn take_away(place: &Place, down: bool) {
    let (from, to) = if down {
        ("rc_records", "away")
    } else {
        ("away", "rc_records")
    };
    let sql = format!("RENAME TABLE {from} TO {to}");
    let renamed = side(place).await.execute_unprepared(&sql).await;
    renamed.expect("renames");
}

mod plain {
    use super::*;

    rc_store::token_store_tests!(connect, at = new_place, fault = take_away);
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
        take_away(place, down).await;
    }

    /// Overwrites what was sealed.
    async fn damage((place, _): &(Place, KeyRing), key: &RecordKey) {
        let spoil = "UPDATE rc_records SET payload = CONCAT(payload, x'00')";
        let spoil = format!("{spoil} WHERE record_key = x'{}'", key.to_hex());
        let spoilt = side(place).await.execute_unprepared(&spoil).await;
        spoilt.expect("overwrites");
    }

    rc_store::token_store_tests!(open, at = new_sealed_place, fault = fault, damage = damage);
}

fn key() -> RecordKey {
    RecordKey::derive(&[b"grant"])
}

/// Ends the connections of everybody else to this database, as a restart of the server does.
async fn disconnect_all(place: &Place) {
    let admin = Database::connect(format!("{}/mysql", SERVER.server())).await;
    let admin = admin.expect("connects");
    let listed = format!(
        "SELECT CAST(id AS SIGNED) AS id FROM information_schema.processlist WHERE db = '{}'",
        place.name
    );
    let listed = Statement::from_string(DbBackend::MySql, listed);
    for row in admin.query_all_raw(listed).await.expect("lists") {
        let id: i64 = row.try_get("", "id").expect("a number");
        // It may have ended by itself.
        admin.execute_unprepared(&format!("KILL {id}")).await.ok();
    }
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
async fn keys_and_versions_are_compared_as_bytes() {
    let place = new_place();
    let store = connect(&place).await;
    // Same letters in another case, and bytes that padding or a character set would change.
    let keys = [[b'a'; 32], [b'A'; 32], [0; 32], [b' '; 32], [0xff; 32]].map(RecordKey::new);
    for key in &keys {
        let saved = store.save(key, b"x", None, Expect::Absent).await;
        saved.expect("saves");
    }
    let listed = store.scan(None, 100).await.expect("lists");
    let mut sorted = keys.to_vec();
    sorted.sort_by_key(|key| *key.as_bytes());
    let listed: Vec<_> = listed.into_iter().map(|listed| listed.key).collect();
    assert_eq!(listed, sorted);
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
async fn a_server_that_is_down_is_named_without_the_password() {
    let refused = SqlStore::connect("mysql://app:hunter2@127.0.0.1:9/app").await;
    let refused = refused.expect_err("no server is there");
    let shown = format!("{refused} {refused:?}");
    assert!(
        matches!(refused, ConnectError::Unreachable { .. }) && shown.contains("at 127.0.0.1:9;"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn what_a_server_refuses_is_said_by_its_kind() {
    let place = new_place();
    let missing = SqlStore::connect(&format!("{}/rc_test_missing", SERVER.server())).await;
    assert!(
        matches!(missing, Err(ConnectError::NoDatabase { .. })),
        "{missing:?}"
    );
    let encrypted = SqlStore::connect(&format!("{}?ssl-mode=REQUIRED", place.url())).await;
    if !cfg!(feature = "tls") {
        assert!(
            matches!(encrypted, Err(ConnectError::NoTls)),
            "{encrypted:?}"
        );
    }
}

#[tokio::test]
async fn the_next_due_records_come_from_their_index() {
    let place = new_place();
    connect(&place).await;
    let side = side(&place).await;
    let fill = "INSERT INTO rc_records \
                WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 150) \
                SELECT UNHEX(SHA2(CONCAT(a.i, ',', b.i), 256)), UNHEX(MD5(CONCAT(a.i, ',', b.i))), 'x', \
                a.i * 150 + b.i FROM n AS a, n AS b";
    side.execute_unprepared(fill).await.expect("fills");
    side.execute_unprepared("ANALYZE TABLE rc_records")
        .await
        .expect("counts");
    let explain = "EXPLAIN SELECT record_key, due FROM rc_records WHERE due <= 15000 AND due >= 5000 \
                   AND (due > 5000 OR record_key > x'00') ORDER BY due, record_key LIMIT 100";
    let backend = side.get_database_backend();
    let rows = side.query_all_raw(Statement::from_string(backend, explain));
    let rows = rows.await.expect("explains");
    let said = |column| rows[0].try_get::<String>("", column).expect("text");
    let (key, extra) = (said("key"), said("Extra"));
    assert_eq!(key, "rc_records_by_due");
    assert!(
        extra.contains("Using index") && !extra.contains("filesort"),
        "{extra}"
    );
}
