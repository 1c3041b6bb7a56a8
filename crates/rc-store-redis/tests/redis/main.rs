//! The kit of `rc-store` on a Redis server.
#![cfg(feature = "server-tests")]

mod place;

use futures_util::StreamExt as _;
use rc_store::{Change, Expect, KeyRing, RecordKey, Sealed, TokenStore};
use rc_store_redis::{ConnectError, RedisStore};

use crate::place::{Place, command};

async fn connect(place: &Place) -> RedisStore {
    RedisStore::connect(&place.url()).await.expect("a store")
}

/// Cuts the value of one record, behind its version.
async fn damage(place: &Place, key: &RecordKey) {
    let name = place.record(key);
    let mut server = place.connection().await;
    let value: Vec<u8> = command(&mut server, &["GET", &name]).await;
    let set = redis::cmd("SET").arg(&name).arg(&value[..20]).to_owned();
    let _: () = set.query_async(&mut server).await.expect("sets");
}

mod plain {
    use super::*;

    rc_store::token_store_tests!(connect, at = Place::new, damage = damage);
}

mod sealed {
    use super::*;

    fn new_place() -> (Place, KeyRing) {
        (Place::new(), KeyRing::generate("test").expect("a ring"))
    }

    async fn open((place, ring): &(Place, KeyRing)) -> Sealed<Box<dyn TokenStore>> {
        Sealed::new(Box::new(connect(place).await), ring.clone())
    }

    rc_store::token_store_tests!(open, at = new_place);
}

fn key() -> RecordKey {
    RecordKey::derive(&[b"grant"])
}

#[tokio::test]
async fn a_write_is_told_by_key_and_version() {
    let place = Place::new();
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
    drop(store);
    assert_eq!(changes.next().await, None, "it ends with its store");
}

#[tokio::test]
async fn a_layout_of_a_newer_version_is_refused() {
    let place = Place::new();
    connect(&place).await;
    let name = format!("{}{{0}}:schema", place.prefix());
    let mut server = place.connection().await;
    let _: () = command(&mut server, &["SET", &name, "2"]).await;
    let refused = RedisStore::connect(&place.url()).await;
    assert!(
        matches!(&refused, Err(ConnectError::NewerSchema { found }) if found == "2"),
        "{refused:?}"
    );
}
