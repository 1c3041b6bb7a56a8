//! What checks do again and again. A store that fails at these fails the check.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    fmt,
    future::Future,
    sync::Arc,
};

use futures_util::{StreamExt, stream};

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

/// Keys that a store mixes up which keeps them as text: cut at a zero byte, without trailing zeros or
/// spaces, or without regard to case.
pub(super) fn hard_keys() -> Vec<RecordKey> {
    let mut keys = BTreeSet::new();
    for length in 0..=32 {
        for rest in [0, b' ', b'\t', b'\n', 1, b'b'] {
            let mut bytes = [b'a'; 32];
            bytes[length..].fill(rest);
            keys.insert(RecordKey::new(bytes));
            if let Some(last) = bytes.last_mut() {
                *last = 0xff;
            }
            keys.insert(RecordKey::new(bytes));
            // The same from the other end.
            let mut bytes = [b'a'; 32];
            bytes[..length].fill(rest);
            keys.insert(RecordKey::new(bytes));
        }
    }
    // Base64 writes these as `AAAA…` and `aaaa…`, and as `ZZZZ…` and `zzzz…`.
    for group in [
        [0, 0, 0],
        [0x69, 0xa6, 0x9a],
        [0x65, 0x96, 0x59],
        [0xcf, 0x3c, 0xf3],
    ] {
        let mut bytes = [0; 32];
        bytes[..30]
            .iter_mut()
            .zip(group.iter().cycle())
            .for_each(|(byte, of)| *byte = *of);
        keys.insert(RecordKey::new(bytes));
    }
    keys.extend(
        [b"A", b"\xc3", b"\xe0", b"\xe3", b"\x7f", b"\x80", b"\xff"]
            .map(|of| RecordKey::new([of[0]; 32])),
    );
    keys.into_iter().collect()
}

/// Replaces one record `count` times by payloads that carry their number; the number of each version.
pub(super) async fn number_writes(
    store: Arc<dyn TokenStore>,
    key: RecordKey,
    count: u8,
) -> HashMap<Version, u8> {
    let mut version = create(&store, &key, &[0; 50], Some(at(0))).await;
    let mut writes = HashMap::from([(version, 0)]);
    for number in 1..=count {
        version = replace(
            &store,
            &key,
            &[number; 50],
            Some(at(number.into())),
            version,
        )
        .await;
        writes.insert(version, number);
    }
    writes
}

/// Whether payload, due time and version of each reading are of one of these writes.
pub(super) fn assert_of_one_write(call: &str, writes: &HashMap<Version, u8>, seen: Vec<Stored>) {
    for stored in seen {
        let number = writes.get(&stored.version).copied();
        let number = number.unwrap_or_else(|| panic!("{call}: a version that no write answered"));
        assert!(
            *stored.payload == [number; 50],
            "{call}: the version of write {number} with the payload of another"
        );
        assert_eq!(
            stored.due,
            Some(at(number.into())),
            "{call}: due time of write {number}"
        );
    }
}

/// How many calls are on their way at once, where a check makes hundreds that do not concern each other.
const AT_ONCE: usize = 20;

/// The answers of calls of different keys, or of calls that only read, in their order.
pub(super) async fn all_of<T>(calls: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(calls).buffered(AT_ONCE).collect().await
}

pub(super) fn at(millis: i64) -> DueAt {
    DueAt::from_unix_millis(millis)
}

/// What was answered, or a failure that says which call, what was expected and what came.
#[track_caller]
pub(super) fn answered<T>(call: impl fmt::Display, answer: Result<T, StoreError>) -> T {
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("{call}: expected an answer, got {}", explained(&error)),
    }
}

fn save_of(key: &RecordKey, payload: &[u8], due: Option<DueAt>, expect: Expect) -> String {
    let (key, size) = (key.to_hex(), payload.len());
    format!("save of {key} ({size} bytes, due {due:?}) expecting {expect:?}")
}

pub(super) async fn load(store: &dyn TokenStore, key: &RecordKey) -> Option<Stored> {
    let answer = store.load(key).await;
    answered(format_args!("load of {}", key.to_hex()), answer)
}

pub(super) async fn present(store: &dyn TokenStore, key: &RecordKey) -> Stored {
    match load(store, key).await {
        Some(stored) => stored,
        None => panic!("load of {}: expected a record, got None", key.to_hex()),
    }
}

pub(super) async fn absent(store: &dyn TokenStore, key: &RecordKey) {
    if let Some(stored) = load(store, key).await {
        panic!("load of {}: expected None, got {stored:?}", key.to_hex());
    }
}

pub(super) async fn create(
    store: &dyn TokenStore,
    key: &RecordKey,
    payload: &[u8],
    due: Option<DueAt>,
) -> Version {
    let answer = store.save(key, payload, due, Expect::Absent).await;
    answered(save_of(key, payload, due, Expect::Absent), answer)
}

pub(super) async fn replace(
    store: &dyn TokenStore,
    key: &RecordKey,
    payload: &[u8],
    due: Option<DueAt>,
    version: Version,
) -> Version {
    let expect = Expect::Version(version);
    let answer = store.save(key, payload, due, expect).await;
    answered(save_of(key, payload, due, expect), answer)
}

pub(super) async fn delete(store: &dyn TokenStore, key: &RecordKey, version: Version) {
    let answer = store.delete(key, version).await;
    let key = key.to_hex();
    answered(
        format_args!("delete of {key} expecting {version:?}"),
        answer,
    );
}

fn assert_conflict<T>(call: impl fmt::Display, answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Conflict) => {}
        Err(error) => panic!("{call}: expected Conflict, got {}", explained(&error)),
        Ok(_) => panic!("{call}: expected Conflict, but it was answered with success"),
    }
}

/// A write that has to lose.
pub(super) async fn save_conflicts(
    store: &dyn TokenStore,
    key: &RecordKey,
    payload: &[u8],
    due: Option<DueAt>,
    expect: Expect,
) {
    let answer = store.save(key, payload, due, expect).await;
    assert_conflict(save_of(key, payload, due, expect), answer);
}

/// A deletion that has to lose.
pub(super) async fn delete_conflicts(store: &dyn TokenStore, key: &RecordKey, version: Version) {
    let answer = store.delete(key, version).await;
    let key = key.to_hex();
    assert_conflict(
        format_args!("delete of {key} expecting {version:?}"),
        answer,
    );
}

/// What a record has to be, whole.
pub(super) async fn assert_loads(
    store: &dyn TokenStore,
    key: &RecordKey,
    payload: &[u8],
    (version, due): (Version, Option<DueAt>),
    when: &str,
) {
    let stored = present(store, key).await;
    let key = key.to_hex();
    assert!(
        *stored.payload == payload,
        "load of {key} {when}: expected the {} bytes saved, got {} other bytes",
        payload.len(),
        stored.payload.len()
    );
    assert_eq!(
        (stored.version, stored.due),
        (version, due),
        "load of {key} {when}: version and due time"
    );
}

/// An error by its name, with its causes.
pub(super) fn explained(error: &StoreError) -> String {
    let debug = format!("{error:?}");
    let name = debug.split(['(', ' ', '{']).next().unwrap_or_default();
    let mut text = format!("{name}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// More than [`Sealed`](crate::Sealed) ever adds to a payload.
const LARGEST_OVERHEAD: usize = 128;

/// The tag of an authenticated cipher. Less is no wrapper but a limit that is off by some bytes.
const LEAST_OVERHEAD: usize = 16;

/// The most bytes this store accepts: 64 KiB, less what a wrapper adds.
pub(super) async fn largest_payload(store: &dyn TokenStore) -> usize {
    let refused = store
        .save(&key(0), &vec![0; MAX_PAYLOAD + 1], None, Expect::Absent)
        .await;
    match refused {
        Err(StoreError::TooLarge { size, limit }) => {
            assert_eq!(size, MAX_PAYLOAD + 1, "`size` is what was given");
            let (least, most) = (MAX_PAYLOAD - LARGEST_OVERHEAD, MAX_PAYLOAD - LEAST_OVERHEAD);
            assert!(
                limit == MAX_PAYLOAD || (least..=most).contains(&limit),
                "a limit of {limit} bytes, expected {MAX_PAYLOAD}, or {least} to {most} of a wrapper \
                 that seals"
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
    let answer = store.due(after, before, limit).await;
    let due = answered(
        format_args!("due after {after:?}, before {before:?}, limit {limit}"),
        answer,
    );
    assert!(
        due.len() <= limit,
        "due: expected at most {limit} records, got {}",
        due.len()
    );
    due
}

pub(super) async fn scan(
    store: &dyn TokenStore,
    after: Option<RecordKey>,
    limit: usize,
) -> Vec<(RecordKey, Stored)> {
    let listed = store.scan(after, limit).await;
    let after = after.map(|key| key.to_hex());
    let call = format!("scan after {after:?}, limit {limit}");
    let listed = answered(&call, listed);
    assert!(
        listed.len() <= limit,
        "{call}: expected at most {limit} records, got {}",
        listed.len()
    );
    let open = |Listed { key, stored }| {
        let record = format!("{call}, record {}", key.to_hex());
        (key, answered(record, stored))
    };
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
