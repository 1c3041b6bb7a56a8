//! Connecting: URLs, files, schema, and what is said when it does not work.

use std::{error::Error as _, fs, path::Path};

use rc_store::{Expect, RecordKey, TokenStore};
use rc_store_sql::{ConnectError, SqlStore};
use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn url(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

fn key() -> RecordKey {
    RecordKey::derive(&[b"a"])
}

async fn refused(url: &str) -> ConnectError {
    SqlStore::connect(url).await.expect_err("must not connect")
}

#[tokio::test]
async fn other_databases_are_refused_by_name() {
    for (url, name) in [
        (
            "postgres://user:pw@db.example/tokens",
            "no PostgreSQL backend",
        ),
        (
            "postgresql://user:pw@db.example/tokens",
            "no PostgreSQL backend",
        ),
        ("mysql://user:pw@db.example/tokens", "no MySQL backend"),
        ("mariadb://user:pw@db.example/tokens", "no MariaDB backend"),
        ("redis://user:pw@db.example", "no Redis backend"),
    ] {
        let built_in = (cfg!(feature = "postgres") && name.contains("PostgreSQL"))
            || (cfg!(feature = "mysql") && (name.contains("MySQL") || name.contains("MariaDB")));
        if built_in {
            continue;
        }
        let error = refused(url).await;
        assert!(
            matches!(error, ConnectError::NotBuiltIn { .. }),
            "{error:?}"
        );
        let shown = error.to_string();
        assert!(shown.contains(name), "{error}");
        assert!(
            name.contains("Redis") || shown.contains("cargo build --features "),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("pw"), "{error}");
    }
}

#[tokio::test]
async fn unknown_schemes_are_refused_by_name() {
    let error = refused("oracle://user:pw@db.example/tokens").await;
    assert!(error.to_string().contains("`oracle:`"), "{error}");
    assert!(!format!("{error} {error:?}").contains("pw"), "{error}");
}

#[tokio::test]
async fn malformed_urls_are_refused_without_repeating_them() {
    for url in [
        "",
        "sesame",
        "/var/lib/sesame.db",
        "se same://x",
        "://sesame",
        "sesame/sesame:x",
    ] {
        let error = refused(url).await;
        assert!(
            matches!(error, ConnectError::InvalidUrl { .. }),
            "{url}: {error:?}"
        );
        assert!(
            error
                .to_string()
                .contains("`sqlite:///path/tokens.db?mode=rwc`"),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    }
}

#[tokio::test]
async fn sqlite_urls_that_cannot_be_meant_are_refused() {
    for (url, problem) in [
        ("sqlite://", "names no file"),
        ("sqlite:", "names no file"),
        ("sqlite:///tmp/x.db?mode=ro", "`mode=ro`"),
        (
            "sqlite:///tmp/x.db?mode=wild",
            "only `mode=rw` and `mode=rwc`",
        ),
        (
            "sqlite:///tmp/x.db?cache=shared",
            "only `mode=rw` and `mode=rwc`",
        ),
        ("sqlite:///tmp/%ff.db?mode=rwc", "UTF-8"),
    ] {
        let error = refused(url).await;
        assert!(
            matches!(error, ConnectError::InvalidUrl { .. }),
            "{url}: {error:?}"
        );
        assert!(error.to_string().contains(problem), "{url}: {error}");
    }
}

#[tokio::test]
async fn databases_in_memory_are_refused() {
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite://x.db?mode=memory",
    ] {
        let error = refused(url).await;
        assert!(
            matches!(error, ConnectError::NotDurable),
            "{url}: {error:?}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = directory();
    let store = SqlStore::connect(&url(&directory.path().join("t.db")))
        .await
        .expect("connects");
    store
        .save(&key(), b"one", None, Expect::Absent)
        .await
        .expect("saved");
    let mut names = Vec::new();
    for entry in fs::read_dir(directory.path()).expect("a directory") {
        let entry = entry.expect("an entry");
        names.push(entry.file_name().into_string().expect("UTF-8"));
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
    names.sort();
    assert_eq!(names, ["t.db", "t.db-shm", "t.db-wal"]);
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_of_an_existing_database_are_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = directory();
    let path = directory.path().join("t.db");
    fs::write(&path, b"").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    SqlStore::connect(&url(&path)).await.expect("connects");
    let mode = fs::metadata(&path).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn a_missing_file_is_made_only_when_asked() {
    let directory = directory();
    let path = directory.path().join("t.db");
    let error = refused(&format!("sqlite://{}", path.display())).await;
    assert!(matches!(error, ConnectError::File { .. }), "{error:?}");
    assert!(error.to_string().contains("add `?mode=rwc`"), "{error}");
    assert!(!path.exists());

    SqlStore::connect(&url(&path)).await.expect("made");
    SqlStore::connect(&format!("sqlite://{}", path.display()))
        .await
        .expect("found");
}

#[tokio::test]
async fn a_missing_directory_is_named_and_works_once_it_is_made() {
    let directory = directory();
    let path = directory.path().join("later/t.db");
    let error = refused(&url(&path)).await;
    assert!(matches!(error, ConnectError::File { .. }), "{error:?}");
    assert!(error.to_string().contains("later/t.db"), "{error}");
    assert!(
        error.to_string().contains("directory does not exist"),
        "{error}"
    );

    fs::create_dir(directory.path().join("later")).expect("a directory");
    SqlStore::connect(&url(&path)).await.expect("connects now");
}

#[tokio::test]
async fn a_directory_is_no_database() {
    let directory = directory();
    let error = refused(&url(directory.path())).await;
    assert!(matches!(error, ConnectError::File { .. }), "{error:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let error = refused("sqlite:///proc/tokens.db?mode=rwc").await;
    assert!(matches!(error, ConnectError::File { .. }), "{error:?}");
    assert!(error.to_string().contains("/proc/tokens.db"), "{error}");
}

#[tokio::test]
async fn a_percent_encoded_path_is_decoded() {
    let directory = directory();
    let encoded = directory.path().join("my%20tokens%3F.db");
    SqlStore::connect(&url(&encoded)).await.expect("connects");
    assert!(directory.path().join("my tokens?.db").exists());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let directory = directory();
    let path = directory.path().join("t.db");
    let text = "not a database ".repeat(1_000);
    fs::write(&path, &text).expect("written");
    let error = refused(&url(&path)).await;
    assert!(matches!(error, ConnectError::Damaged { .. }), "{error:?}");
    assert!(error.source().is_some());
    assert_eq!(fs::read_to_string(&path).expect("read"), text);

    fs::remove_file(&path).expect("removed");
    SqlStore::connect(&url(&path))
        .await
        .expect("connects when the cause is gone");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let directory = directory();
    let url = url(&directory.path().join("t.db"));
    let store = SqlStore::connect(&url).await.expect("connects");
    store
        .save(&key(), b"one", None, Expect::Absent)
        .await
        .expect("saved");

    let other = Database::connect(&url).await.expect("connects");
    let step = "INSERT INTO rc_store_migrations VALUES ('m9999_future', 0)";
    other.execute_unprepared(step).await.expect("inserted");
    let error = refused(&url).await;
    assert!(
        matches!(error, ConnectError::NewerSchema { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("m9999_future"), "{error}");
    assert!(
        store.load(&key()).await.expect("loads").is_some(),
        "a running process goes on"
    );

    let undo = "DELETE FROM rc_store_migrations WHERE version = 'm9999_future'";
    other.execute_unprepared(undo).await.expect("deleted");
    SqlStore::connect(&url)
        .await
        .expect("connects when the cause is gone");
}

#[tokio::test]
async fn a_migration_that_was_cut_short_is_finished() {
    let directory = directory();
    let url = url(&directory.path().join("t.db"));
    let store = SqlStore::connect(&url).await.expect("connects");
    store
        .save(&key(), b"one", None, Expect::Absent)
        .await
        .expect("saved");
    let other = Database::connect(&url).await.expect("connects");
    let cut = "DROP INDEX rc_records_by_due; DELETE FROM rc_store_migrations";
    other.execute_unprepared(cut).await.expect("cut");

    let store = SqlStore::connect(&url).await.expect("connects");
    assert!(store.load(&key()).await.expect("loads").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_connect_to_a_new_database_at_once() {
    let directory = directory();
    let url = url(&directory.path().join("t.db"));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        tasks.spawn(async move { SqlStore::connect(&url).await });
    }
    for store in tasks.join_all().await {
        let store = store.expect("connects");
        assert!(store.load(&key()).await.expect("loads").is_none());
    }
}

#[tokio::test]
async fn tables_of_others_in_the_database_do_not_disturb() {
    let directory = directory();
    let url = url(&directory.path().join("t.db"));
    let other = Database::connect(&url).await.expect("connects");
    let theirs = "CREATE TABLE seaql_migrations (version TEXT PRIMARY KEY, applied_at BIGINT); \
                  INSERT INTO seaql_migrations VALUES ('m20200101_their_own', 0)";
    other.execute_unprepared(theirs).await.expect("made");
    SqlStore::connect(&url).await.expect("connects");
}
