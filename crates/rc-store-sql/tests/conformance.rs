//! The kit of `rc-store` on SQLite files, plain and sealed.

use std::fs;

use rc_store::{KeyRing, RecordKey, Sealed, TokenStore};
use rc_store_sql::SqlStore;
use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

fn new_directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

async fn connect(directory: &TempDir) -> SqlStore {
    let path = directory.path().join("tokens.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    SqlStore::connect(&url).await.expect("a store")
}

/// Another client of the same file, for one statement.
async fn change(directory: &TempDir, sql: &str) {
    let url = format!("sqlite://{}", directory.path().join("tokens.db").display());
    let side = Database::connect(url).await.expect("connects");
    side.execute_unprepared(sql).await.expect("a statement");
    side.close().await.expect("closes");
}

/// Takes the file away, and puts it back.
async fn take_away(directory: &TempDir, down: bool) {
    let path = directory.path().join("tokens.db");
    let away = directory.path().join("away.db");
    let (from, to) = if down { (path, away) } else { (away, path) };
    fs::rename(from, to).expect("moves the file");
}

/// A payload that is a number, which the table refuses unless its checks are off.
async fn spoil(directory: &TempDir, key: &RecordKey) {
    let key = key.to_hex();
    let cut = "PRAGMA ignore_check_constraints = ON; UPDATE rc_records SET payload = 7";
    change(directory, &format!("{cut} WHERE record_key = '{key}'")).await;
}

mod plain {
    use super::*;

    rc_store::token_store_tests!(
        connect,
        at = new_directory,
        notifying,
        fault = take_away,
        damage = spoil
    );
}

mod sealed {
    use super::*;

    type Place = (TempDir, KeyRing);

    fn new_place() -> Place {
        (new_directory(), KeyRing::generate("test").expect("a ring"))
    }

    async fn open((directory, ring): &Place) -> Sealed<Box<dyn TokenStore>> {
        Sealed::new(Box::new(connect(directory).await), ring.clone())
    }

    async fn fault((directory, _): &Place, down: bool) {
        take_away(directory, down).await;
    }

    /// One byte more than was sealed.
    async fn damage((directory, _): &Place, key: &RecordKey) {
        let key = key.to_hex();
        let add = "UPDATE rc_records SET payload = CAST(payload || x'00' AS blob)";
        change(directory, &format!("{add} WHERE record_key = '{key}'")).await;
    }

    rc_store::token_store_tests!(
        open,
        at = new_place,
        notifying,
        fault = fault,
        damage = damage
    );
}
