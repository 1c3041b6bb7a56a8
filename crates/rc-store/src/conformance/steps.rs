//! What checks do again and again. A store that fails at these fails the check.

use std::{collections::BTreeSet, error::Error};

use crate::{
    Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, RecordKey, StoreError, Stored, TokenStore,
    Version,
};

pub(super) fn key(number: u32) -> RecordKey {
    RecordKey::derive(&[b"conformance", &number.to_be_bytes()])
}

/// `count` keys in their order.
pub(super) fn sorted_keys(count: u32) -> Vec<RecordKey> {
    (0..count)
        .map(key)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

pub(super) fn at(millis: i64) -> DueAt {
    DueAt::from_unix_millis(millis)
}

pub(super) async fn load(store: &dyn TokenStore, key: &RecordKey) -> Option<Stored> {
    store.load(key).await.expect("load works")
}

pub(super) async fn present(store: &dyn TokenStore, key: &RecordKey) -> Stored {
    load(store, key).await.expect("the record is there")
}

pub(super) async fn create(
    store: &dyn TokenStore,
    key: &RecordKey,
    payload: &[u8],
    due: Option<DueAt>,
) -> Version {
    store
        .save(key, payload, due, Expect::Absent)
        .await
        .expect("creating a record works")
}

pub(super) async fn replace(
    store: &dyn TokenStore,
    key: &RecordKey,
    payload: &[u8],
    due: Option<DueAt>,
    version: Version,
) -> Version {
    store
        .save(key, payload, due, Expect::Version(version))
        .await
        .expect("replacing works")
}

pub(super) async fn delete(store: &dyn TokenStore, key: &RecordKey, version: Version) {
    store.delete(key, version).await.expect("deleting works");
}

#[track_caller]
pub(super) fn assert_conflict<T>(result: Result<T, StoreError>) {
    match result {
        Err(StoreError::Conflict) => {}
        Err(error) => panic!("expected a conflict, got {}", explained(&error)),
        Ok(_) => panic!("expected a conflict, but the write was answered with success"),
    }
}

/// An error with its causes.
pub(super) fn explained(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The most bytes this store accepts: 64 KiB, less what a wrapper adds.
pub(super) async fn largest_payload(store: &dyn TokenStore) -> usize {
    let refused = store
        .save(&key(0), &vec![0; MAX_PAYLOAD + 1], None, Expect::Absent)
        .await;
    match refused {
        Err(StoreError::TooLarge { size, limit }) => {
            assert_eq!(size, MAX_PAYLOAD + 1, "`size` is what was given");
            let least = MAX_PAYLOAD - 1024;
            assert!(
                (least..=MAX_PAYLOAD).contains(&limit),
                "a limit of {limit} bytes"
            );
            limit
        }
        Err(error) => panic!("expected TooLarge, got {}", explained(&error)),
        Ok(_) => panic!("a payload of more than 64 KiB was accepted"),
    }
}

/// Everything due, page by page.
pub(super) async fn all_due(store: &dyn TokenStore, before: DueAt, page: usize) -> Vec<Due> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(Due::cursor);
        let found = due(store, after, before, page).await;
        if found.is_empty() {
            return all;
        }
        all.extend(found);
        assert!(all.len() < 100_000, "due never comes to an end");
    }
}

pub(super) async fn due(
    store: &dyn TokenStore,
    after: Option<DueCursor>,
    before: DueAt,
    limit: usize,
) -> Vec<Due> {
    store.due(after, before, limit).await.expect("due works")
}

pub(super) async fn scan(
    store: &dyn TokenStore,
    after: Option<RecordKey>,
    limit: usize,
) -> Vec<(RecordKey, Stored)> {
    let listed = store.scan(after, limit).await.expect("scan works");
    let open = |Listed { key, stored }| (key, stored.expect("the record can be read"));
    listed.into_iter().map(open).collect()
}

/// Everything, page by page.
pub(super) async fn scan_all(store: &dyn TokenStore, page: usize) -> Vec<(RecordKey, Stored)> {
    let mut all: Vec<(RecordKey, Stored)> = Vec::new();
    loop {
        let found = scan(store, all.last().map(|(key, _)| *key), page).await;
        if found.is_empty() {
            return all;
        }
        all.extend(found);
        assert!(all.len() < 100_000, "scan never comes to an end");
    }
}
