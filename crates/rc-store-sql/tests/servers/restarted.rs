//! A server that was restarted while its connections waited in the pool.

use std::time::{Duration, Instant};

use rc_store::{BoxFuture, DueAt, Expect, StoreError, TokenStore as _, Version};
use rc_store_sql::SqlStore;
use sea_orm::{ConnectionTrait as _, Database, Statement};
use tokio::task::JoinSet;

use crate::{Engine, Server, connect, key};

/// So many connections a store keeps.
const CONNECTIONS: usize = 10;

/// A connection that waited longer is asked whether it lives before it is used.
const ASKED_AFTER: Duration = Duration::from_secs(1);

type Call = fn(SqlStore, usize, Version) -> BoxFuture<'static, Result<(), StoreError>>;

/// Reads side by side, so that as many connections wait as the store keeps.
async fn fill_pool(server: &Server, store: &SqlStore) -> Instant {
    at_once(
        store,
        &[Version::new([0; 16]); CONNECTIONS],
        |store, number, _| Box::pin(async move { store.load(&key(number)).await.map(|_| ()) }),
    )
    .await;
    let admin = Database::connect(server.url("tokens")).await;
    let admin = admin.expect("connects");
    let backend = admin.get_database_backend();
    let count = match backend {
        sea_orm::DbBackend::Postgres => {
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = 'tokens' AND pid <> pg_backend_pid()"
        }
        _ => {
            "SELECT count(*) FROM information_schema.processlist \
             WHERE db = 'tokens' AND id <> connection_id()"
        }
    };
    let row = admin
        .query_one_raw(Statement::from_string(backend, count))
        .await;
    let waiting: i64 = row
        .expect("counts")
        .expect("a row")
        .try_get_by_index(0)
        .expect("a number");
    admin.close().await.expect("closes");
    assert_eq!(waiting, CONNECTIONS as i64, "connections of the store");
    Instant::now()
}

/// One call for each of these versions, side by side; none may fail.
async fn at_once(store: &SqlStore, versions: &[Version], call: Call) {
    let mut calls = JoinSet::new();
    for (number, version) in versions.iter().enumerate() {
        calls.spawn(call(store.clone(), number, *version));
    }
    for answer in calls.join_all().await {
        answer.expect("no call fails");
    }
}

async fn records(store: &SqlStore) -> Vec<Version> {
    let due = Some(DueAt::from_unix_millis(1_000));
    let mut versions = Vec::new();
    for number in 0..CONNECTIONS {
        let saved = store.save(&key(number), b"a", due, Expect::Absent).await;
        versions.push(saved.expect("saves"));
    }
    versions
}

async fn no_call_fails(engine: Engine, call: Call) {
    let mut server = Server::start(engine).await;
    let store = connect(&server).await;
    let versions = records(&store).await;
    fill_pool(&server, &store).await;
    server.kill();
    server.restart();
    at_once(&store, &versions, call).await;
}

/// A creation whose answer is lost is not repeated, so this holds only where the driver asks first.
async fn no_creation_fails(engine: Engine) {
    let mut server = Server::start(engine).await;
    let store = connect(&server).await;
    let filled = fill_pool(&server, &store).await;
    server.kill();
    server.restart();
    // The driver's clock is the system's; most restarts take longer anyway.
    tokio::time::sleep((ASKED_AFTER * 11 / 10).saturating_sub(filled.elapsed())).await;
    let none = [Version::new([0; 16]); CONNECTIONS];
    at_once(&store, &none, |store, number, _| {
        Box::pin(async move {
            let saved = store.save(&key(number), b"a", None, Expect::Absent).await;
            saved.map(|_| ())
        })
    })
    .await;
}

fn load(
    store: SqlStore,
    number: usize,
    version: Version,
) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(async move {
        let loaded = store.load(&key(number)).await?;
        assert_eq!(loaded.expect("a record").version, version);
        Ok(())
    })
}

fn save(
    store: SqlStore,
    number: usize,
    version: Version,
) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(async move {
        let expect = Expect::Version(version);
        store
            .save(&key(number), b"b", None, expect)
            .await
            .map(|_| ())
    })
}

fn delete(
    store: SqlStore,
    number: usize,
    version: Version,
) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(async move { store.delete(&key(number), version).await })
}

fn due(store: SqlStore, _: usize, _: Version) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(async move {
        let due = store.due(None, DueAt::from_unix_millis(2_000), 100).await?;
        assert_eq!(due.len(), CONNECTIONS);
        Ok(())
    })
}

macro_rules! calls {
    ($engine:expr, $($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                super::no_call_fails($engine, super::$name).await;
            }
        )*

        #[tokio::test]
        async fn create() {
            super::no_creation_fails($engine).await;
        }
    };
}

mod postgres_restarted_fails_no {
    calls!(crate::Engine::Postgres, load save delete due);
}

mod mariadb_restarted_fails_no {
    calls!(crate::Engine::MariaDb, load save delete due);
}
