//! Rows that no store has written.

use rc_store::{Expect, KeyRing, Sealed, StoreError, TokenStore};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, sqlx};

use super::{DUE, connections, key, new_store};

async fn execute(database: &DatabaseConnection, sql: &str) {
    database.execute_unprepared(sql).await.expect(sql);
}

#[tokio::test]
async fn the_schema_refuses_what_is_no_record() {
    let (_directory, store) = new_store().await;
    let hex = key("a").to_hex();
    for values in [
        format!("'{}', zeroblob(16), x'00', NULL", hex.to_uppercase()),
        format!("'{}', zeroblob(16), x'00', NULL", &hex[1..]),
        format!("'{hex}', zeroblob(15), x'00', NULL"),
        format!("'{hex}', '0123456789abcdef', x'00', NULL"),
        format!("'{hex}', zeroblob(16), 'text', NULL"),
    ] {
        let insert = format!("INSERT INTO rc_records VALUES ({values})");
        assert!(
            store.database().execute_unprepared(&insert).await.is_err(),
            "{values}"
        );
    }
}

#[tokio::test]
async fn a_bad_row_is_corrupt_and_hides_no_other() {
    let (_directory, store) = new_store().await;
    let keys = ["a", "b", "c"].map(key);
    let mut written = Vec::new();
    for key in &keys {
        let saved = store.save(key, b"payload", DUE, Expect::Absent).await;
        written.push(Some(saved.expect("saved")));
    }
    for change in ["version = x'0102'", "version = 'text'", "due = 'never'"] {
        let mut connections = connections(&store).await;
        let connection = &mut *connections[0];
        let update = format!(
            "PRAGMA ignore_check_constraints = ON; \
             UPDATE rc_records SET {change} WHERE record_key = '{}'",
            key("b").to_hex()
        );
        let update = sqlx::raw_sql(sqlx::AssertSqlSafe(update));
        update.execute(connection).await.expect("edited");
        drop(connections);

        let loaded = store.load(&key("b")).await;
        assert!(
            matches!(loaded, Err(StoreError::Corrupt(_))),
            "{change}: {loaded:?}"
        );
        let listed = store.scan(None, 10).await.expect("scans");
        assert_eq!(listed.len(), 3);
        for item in listed {
            assert_eq!(item.stored.is_err(), item.key == key("b"), "{change}");
        }
        let versions = store.versions(&keys).await.expect("versions");
        assert_eq!((versions[0], versions[2]), (written[0], written[2]));
        assert!(versions[1].is_some_and(|bad| Some(bad) != written[1]));
    }
    assert!(store.load(&key("a")).await.is_ok());
}

#[tokio::test]
async fn edited_columns_of_sealed_rows_are_corrupt() {
    let (_directory, store) = new_store().await;
    let sealed = Sealed::new(store.clone(), KeyRing::generate("test").expect("a ring"));
    for name in ["a", "b", "c"] {
        sealed
            .save(&key(name), b"payload", DUE, Expect::Absent)
            .await
            .expect("saved");
    }
    let row = |name| format!("record_key = '{}'", key(name).to_hex());
    let payload = |name| format!("(SELECT payload FROM rc_records WHERE {})", row(name));
    let set = |what: String, name| format!("UPDATE rc_records SET {what} WHERE {}", row(name));
    execute(store.database(), &set("due = due + 1".into(), "a")).await;
    execute(
        store.database(),
        &set(format!("payload = {}", payload("c")), "b"),
    )
    .await;
    for name in ["a", "b"] {
        let loaded = sealed.load(&key(name)).await;
        assert!(
            matches!(loaded, Err(StoreError::Corrupt(_))),
            "{name}: {loaded:?}"
        );
    }
    assert!(sealed.load(&key("c")).await.is_ok());
}
