//! Records of every size and due time, as every call sees them.

use crate::{
    Due, DueAt, RecordKey, TokenStore, Version,
    conformance::{
        Pace, Subject,
        steps::{
            all_due, all_of, assert_loads, at, create, largest_payload, scan_all, sorted_keys,
        },
    },
};

use super::version_queries::versions;

/// A record and what was saved.
pub(super) struct Kept {
    key: RecordKey,
    payload: Vec<u8>,
    due: Option<DueAt>,
    version: Version,
}

/// Makes a record of each size with each due time.
pub(super) async fn create_every_kind(store: &dyn TokenStore) -> Vec<Kept> {
    let largest = largest_payload(store).await;
    let times = [i64::MIN, -1, 0, 5, i64::MAX].map(|time| Some(at(time)));
    let times = [None].into_iter().chain(times);
    let kinds = times.flat_map(|due| [0, 1, 1_500].map(|size| (due, size)));
    let kinds = kinds.chain([(None, 40_000), (Some(at(5)), largest)]);
    let records = sorted_keys(20).into_iter().zip(kinds).zip(0..);
    let creations = records.map(async |((key, (due, size)), number)| {
        let payload = vec![number; size];
        let version = create(store, &key, &payload, due).await;
        Kept {
            key,
            payload,
            due,
            version,
        }
    });
    all_of(creations).await
}

/// That every reading call sees these records as they were saved.
pub(super) async fn assert_kept(store: &dyn TokenStore, kept: &[Kept], when: &str) {
    let loads = kept.iter().map(async |record| {
        let state = (record.version, record.due);
        assert_loads(store, &record.key, &record.payload, state, when).await;
    });
    all_of(loads).await;
    let listed = scan_all(store, 100).await;
    assert_eq!(listed.len(), kept.len(), "scan {when}: records");
    for ((key, stored), record) in listed.iter().zip(kept) {
        let (size, due) = (record.payload.len(), record.due);
        let what = format!(
            "scan {when}: record {} ({size} bytes, due {due:?})",
            key.to_hex()
        );
        assert_eq!(*key, record.key, "{what}: order of keys");
        assert_eq!(
            (stored.version, stored.due),
            (record.version, due),
            "{what}"
        );
        assert!(*stored.payload == record.payload, "{what}: other bytes");
    }
    let mut times: Vec<_> = kept
        .iter()
        .filter_map(|record| {
            Some(Due {
                key: record.key,
                due: record.due?,
            })
        })
        .collect();
    times.sort_by_key(|due| (due.due, due.key));
    let found = all_due(store, at(i64::MAX), 100).await;
    assert_eq!(found, times, "due {when}");
    let keys: Vec<_> = kept.iter().map(|record| record.key).collect();
    let expected: Vec<_> = kept.iter().map(|record| Some(record.version)).collect();
    assert_eq!(versions(store, &keys).await, expected, "versions {when}");
}

pub async fn every_kind_of_record_is_seen_by_every_call(subject: Subject<'_>) {
    let store = subject.open().await;
    let kept = create_every_kind(&store).await;
    assert_kept(&store, &kept, "of records of every kind").await;
}

/// A page of more than 4 MiB: more than some protocols and buffers take in one answer.
pub async fn scan_lists_a_page_of_the_largest_payloads(subject: Subject<'_>) {
    // The same at both paces: nothing stands between.
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let payload = vec![b'x'; largest_payload(&store).await];
    let keys = sorted_keys(70);
    all_of(keys.iter().map(|key| create(&store, key, &payload, None))).await;
    let listed = scan_all(&store, 100).await;
    let found: Vec<_> = listed.iter().map(|(key, _)| *key).collect();
    assert_eq!(found, keys, "scan of 70 records of {} bytes", payload.len());
    let whole = listed.iter().all(|(_, stored)| *stored.payload == payload);
    assert!(
        whole,
        "scan of 70 records of {} bytes: other bytes",
        payload.len()
    );
}
