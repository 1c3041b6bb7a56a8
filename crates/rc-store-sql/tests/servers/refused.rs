//! What cannot be connected to, and what is said of it.

use std::{
    error::Error as _,
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

use rc_store::{Expect, StoreError, TokenStore as _};
use rc_store_sql::{ConnectError, SqlStore};

use crate::{Engine, Server, connect, key};

const PASSWORD: &str = "plain-sample";
const WRONG: &str = "wrong-sample";

/// Why it is refused; all that is said of it, causes too, shows no password.
async fn refused(url: &str) -> ConnectError {
    let error = SqlStore::connect(url).await;
    let error = error.expect_err("must not connect");
    let mut said = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    for secret in [PASSWORD, WRONG] {
        assert!(!said.contains(secret), "{said}");
    }
    error
}

/// A server whose user `app` has a password and may not make tables, and the tables.
async fn with_app(engine: Engine) -> Server {
    let server = Server::start(engine).await;
    connect(&server).await;
    server.execute("CREATE DATABASE empty").await;
    let statements: &[&str] = match engine {
        Engine::Postgres => &["CREATE ROLE app LOGIN PASSWORD 'plain-sample'"],
        Engine::MariaDb => &[
            "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'plain-sample'",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON tokens.rc_records TO app@'127.0.0.1'",
            "GRANT SELECT ON tokens.rc_store_migrations TO app@'127.0.0.1'",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON empty.* TO app@'127.0.0.1'",
        ],
    };
    for sql in statements {
        server.execute(sql).await;
    }
    if engine == Engine::Postgres {
        let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app";
        server.execute_in("tokens", grant).await;
        // Before PostgreSQL 15 everybody may.
        for database in ["tokens", "empty"] {
            let revoke = "REVOKE CREATE ON SCHEMA public FROM public";
            server.execute_in(database, revoke).await;
        }
    }
    server
}

async fn says_why(engine: Engine) {
    let server = with_app(engine).await;
    let app = format!("app:{PASSWORD}");

    let error = refused(&server.url_of(&format!("app:{WRONG}"), "tokens")).await;
    assert!(
        matches!(error, ConnectError::AccessDenied { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("check user name, password"),
        "{error}"
    );

    let error = refused(&server.url_of(&format!("nobody:{WRONG}"), "tokens")).await;
    assert!(
        matches!(error, ConnectError::AccessDenied { .. }),
        "{error:?}"
    );

    let error = refused(&server.url("missing")).await;
    assert!(
        matches!(error, ConnectError::NoDatabase { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("no database of this name; create it"),
        "{error}"
    );

    let error = refused(&server.url_of(&app, "empty")).await;
    assert!(matches!(error, ConnectError::NoRight { .. }), "{error:?}");
    assert!(
        error.to_string().contains("this user may not make them"),
        "{error}"
    );

    let store = SqlStore::connect(&server.url_of(&app, "tokens")).await;
    let store = store.expect("needs no right to make tables that are there");
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    store
        .delete(&key(0), saved.expect("saves"))
        .await
        .expect("deletes");
    store.health().await.expect("healthy");
}

#[tokio::test]
async fn postgres_is_refused_by_kind_and_without_the_password() {
    says_why(Engine::Postgres).await;
}

#[tokio::test]
async fn mariadb_is_refused_by_kind_and_without_the_password() {
    says_why(Engine::MariaDb).await;
}

async fn rights_that_are_taken_away(engine: Engine) {
    let server = with_app(engine).await;
    let url = server.url_of(&format!("app:{PASSWORD}"), "tokens");
    let store = SqlStore::connect(&url).await.expect("a store");
    let revoke = match engine {
        Engine::Postgres => "REVOKE INSERT, UPDATE, DELETE ON rc_records FROM app",
        Engine::MariaDb => {
            "REVOKE INSERT, UPDATE, DELETE ON tokens.rc_records FROM app@'127.0.0.1'"
        }
    };
    server.execute_in("tokens", revoke).await;
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
    let health = store.health().await;
    assert!(
        matches!(health, Err(StoreError::NotWritten(_))),
        "{health:?}"
    );
    assert!(store.load(&key(0)).await.expect("reads").is_none());
}

#[tokio::test]
async fn postgres_without_the_right_to_write_writes_nothing() {
    rights_that_are_taken_away(Engine::Postgres).await;
}

#[tokio::test]
async fn mariadb_without_the_right_to_write_writes_nothing() {
    rights_that_are_taken_away(Engine::MariaDb).await;
}

/// Something takes the connection and never says a word.
async fn silent_server(scheme: &str) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let begun = Instant::now();
    let error = refused(&format!("{scheme}://app:{WRONG}@{address}/tokens")).await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let told = error.to_string();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        told.contains(&format!("answers at {address}; start it")),
        "{told}"
    );
}

#[tokio::test]
async fn postgres_that_says_nothing_is_unreachable_in_time() {
    silent_server("postgres").await;
}

#[tokio::test]
async fn mysql_that_says_nothing_is_unreachable_in_time() {
    silent_server("mysql").await;
}

async fn newer_schema(engine: Engine) {
    let server = Server::start(engine).await;
    connect(&server).await;
    let later = "INSERT INTO rc_store_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    server.execute_in("tokens", later).await;
    let error = refused(&server.url("tokens")).await;
    assert!(
        matches!(error, ConnectError::NewerSchema { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("newer version (`m9999_later`)"),
        "{error}"
    );
}

#[tokio::test]
async fn postgres_with_a_newer_schema_is_refused_by_its_step() {
    newer_schema(Engine::Postgres).await;
}

#[tokio::test]
async fn mariadb_with_a_newer_schema_is_refused_by_its_step() {
    newer_schema(Engine::MariaDb).await;
}
