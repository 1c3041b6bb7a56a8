//! A server that may only be read for a while.

use std::time::{Duration, Instant};

use rc_store::{Expect, StoreError, TokenStore as _};
use rc_store_sql::SqlStore;

use crate::{Engine, Server, connect, key};

/// A server takes a setting in a moment after it was told.
const SETTING_LIMIT: Duration = Duration::from_secs(10);

/// So many answers in a row have to agree: each connection of the store's hears of a setting by itself.
const IN_A_ROW: u32 = 200;

/// Waits until the store notices that the server may only be read, or be written again, on all its connections.
async fn noticed(store: &SqlStore, read_only: bool) {
    let told = Instant::now();
    let mut agreed = 0;
    while agreed < IN_A_ROW {
        assert!(told.elapsed() < SETTING_LIMIT, "the store did not notice");
        let agrees = store.health().await.is_err() == read_only;
        agreed = if agrees { agreed + 1 } else { 0 };
    }
}

/// What holds while the server may only be read.
async fn refuses_writes(store: &SqlStore) {
    for _ in 0..12 {
        let saved = store.save(&key(1), b"a", None, Expect::Absent).await;
        assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
        let health = store.health().await;
        assert!(
            matches!(health, Err(StoreError::NotWritten(_))),
            "{health:?}"
        );
        let loaded = store.load(&key(0)).await.expect("reads go on");
        assert!(loaded.is_some());
    }
}

#[tokio::test]
async fn postgres_that_may_only_be_read_says_so_until_it_may_be_written() {
    let server = Server::start(Engine::Postgres).await;
    let store = connect(&server).await;
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    saved.expect("saves");
    for on in [true, false] {
        let setting = if on { "on" } else { "off" };
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {setting}");
        server.execute(&set).await;
        server.execute("SELECT pg_reload_conf()").await;
        noticed(&store, on).await;
        if on {
            refuses_writes(&store).await;
        }
    }
    let saved = store.save(&key(1), b"a", None, Expect::Absent).await;
    saved.expect("saves");
}

#[tokio::test]
async fn mariadb_that_may_only_be_read_says_so_until_it_may_be_written() {
    let server = Server::start(Engine::MariaDb).await;
    for sql in [
        "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'plain-sample'",
        "GRANT ALL ON tokens.* TO app@'127.0.0.1'",
    ] {
        server.execute(sql).await;
    }
    let url = server.url_of("app:plain-sample", "tokens");
    let store = SqlStore::connect(&url).await.expect("a store");
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    saved.expect("saves");
    server.execute("SET GLOBAL read_only = 1").await;
    noticed(&store, true).await;
    refuses_writes(&store).await;
    server.execute("SET GLOBAL read_only = 0").await;
    noticed(&store, false).await;
    let saved = store.save(&key(1), b"a", None, Expect::Absent).await;
    saved.expect("saves");
}
