//! `health` asks, and changes nothing.

use super::changes::next_soon;
use crate::{
    Change, Expect, TokenStore,
    conformance::{
        Subject,
        steps::{all_of, answered, at, create, delete, due, key, replace, scan},
    },
};

/// More than a pool has connections.
const PROBES: u32 = 70;

/// Asks once; the store has to be well.
pub(super) async fn assert_healthy(store: &dyn TokenStore, when: &str) {
    answered(format_args!("health {when}"), store.health().await);
}

/// Payload, version and due time of every record, and what is due.
async fn everything(store: &dyn TokenStore) -> impl PartialEq {
    let listed = scan(store, None, 50).await.into_iter();
    let listed = listed.map(|(key, stored)| (key, stored.payload, stored.version, stored.due));
    (
        listed.collect::<Vec<_>>(),
        due(store, None, at(99), 50).await,
    )
}

pub async fn health_is_asked_again_and_again(subject: Subject<'_>) {
    let store = subject.open().await;
    assert_healthy(&store, "of an empty store").await;
    create(&store, &key(1), b"one", None).await;
    all_of((0..PROBES).map(|_| assert_healthy(&store, "of a store with a record"))).await;
    let version = create(&store, &key(2), b"two", None).await;
    delete(&store, &key(2), version).await;
    assert_healthy(&store, "after a deletion").await;
}

pub async fn health_changes_no_record(subject: Subject<'_>) {
    let store = subject.open().await;
    assert_healthy(&store, "of an empty store").await;
    let found = scan(&store, None, 50).await;
    assert!(found.is_empty(), "scan of an empty store after health");
    let mut versions = Vec::new();
    for number in 0..5 {
        let due = (number % 2 == 0).then(|| at(number.into()));
        versions.push(create(&store, &key(number), b"payload", due).await);
    }
    let before = everything(&store).await;
    for _ in 0..5 {
        assert_healthy(&store, "of a store with records").await;
    }
    let same = everything(&store).await == before;
    assert!(same, "scan and due after health: a record changed");
    for (number, version) in (0..).zip(versions) {
        replace(&store, &key(number), b"new", None, version).await;
    }
}

/// A probe each few seconds that is told to every reader makes each cache load for nothing.
pub async fn health_is_no_change(subject: Subject<'_>) {
    let store = subject.open().await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    for _ in 0..5 {
        assert_healthy(&store, "of a store with a reader of changes").await;
    }
    let version = create(&store, &key(1), b"one", None).await;
    // What was told of health comes before it.
    if let Change::Key {
        key: told,
        version: left,
    } = next_soon(&mut changes).await
    {
        let told_of_it = told == key(1) && left == Some(version);
        let told = told.to_hex();
        assert!(told_of_it, "changes: health is told as a change of {told}");
    }
}

/// A probe and a write at the same moment do not disturb each other.
pub async fn health_hinders_no_write(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut version = create(&store, &key(1), b"0", None).await;
    for number in 0..20_u8 {
        let (record, payload) = (key(1), [number]);
        let write = store.save(&record, &payload, None, Expect::Version(version));
        let (written, health) = tokio::join!(write, store.health());
        version = answered("save while health is asked", written);
        answered("health while a record is saved", health);
    }
}
