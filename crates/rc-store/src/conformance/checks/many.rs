//! Many writes, records and calls: what a store forgets, or cannot do any more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    Due, Expect, RecordKey, TokenStore, Version,
    conformance::{
        Pace, Subject,
        steps::{
            all_due, all_of, answered, assert_loads, at, create, delete, due, key, present,
            replace, scan_all, sorted_keys,
        },
    },
};

use super::version_queries::versions;

/// How many records, and how long a store is given to write so many.
const THOUSANDS: u32 = 4_000;
const WRITING: Duration = Duration::from_secs(1);

/// How many writes of one record.
const WRITES: u32 = 1_100;

/// Calls at once, more than a store has connections; they wait for each other.
const AT_ONCE: u32 = 150;

/// Makes as many records as it can in a second, many of them due at the same time.
pub(super) async fn make_thousands(store: &Arc<dyn TokenStore>) -> Vec<(RecordKey, Version, i64)> {
    let begin = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..10 {
        let store = store.clone();
        writers.spawn(async move {
            let mut made = Vec::new();
            for number in (0..THOUSANDS).skip(writer).step_by(10) {
                if begin.elapsed() > WRITING {
                    break;
                }
                tokio::task::yield_now().await;
                let time = i64::from(number % 3);
                let (record, payload) = (key(number), number.to_be_bytes());
                let version = create(&store, &record, &payload, Some(at(time))).await;
                made.push((record, version, time));
            }
            made
        });
    }
    let mut made: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    made.sort_by_key(|(key, ..)| *key);
    made
}

/// Nothing is evicted, and no list ends before its end.
pub async fn thousands_of_records_are_listed(subject: Subject<'_>) {
    // The same at both paces: nothing stands between.
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let made = make_thousands(&store).await;
    assert_all_listed(&store, made).await;
}

/// That these records are there and no others.
pub(super) async fn assert_all_listed(
    store: &dyn TokenStore,
    made: Vec<(RecordKey, Version, i64)>,
) {
    let count = made.len();
    let keys: Vec<_> = made.iter().map(|(key, ..)| *key).collect();
    let listed = scan_all(store, 1_000).await;
    let listed: Vec<_> = listed
        .iter()
        .map(|(key, stored)| (*key, stored.version))
        .collect();
    let expected: Vec<_> = made
        .iter()
        .map(|(key, version, _)| (*key, *version))
        .collect();
    let found = listed.len();
    assert!(
        listed == expected,
        "scan lists {found} of {count} records, or others"
    );
    let mut expected: Vec<_> = made
        .iter()
        .map(|(key, _, time)| (at(*time), *key))
        .collect();
    expected.sort();
    let found = all_due(store, at(9), 1_000).await;
    let listed: Vec<_> = found.iter().map(|Due { key, due }| (*due, *key)).collect();
    let found = listed.len();
    assert!(
        listed == expected,
        "due lists {found} of {count} records, or others"
    );
    let expected: Vec<_> = made.iter().map(|(_, version, _)| Some(*version)).collect();
    let found = versions(store, &keys).await;
    assert!(found == expected, "versions of {count} records are others");
}

/// Payload, version and due time of each of many writes of one record are those of this write.
pub async fn every_one_of_many_writes_is_kept(subject: Subject<'_>) {
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let begin = Instant::now();
    let mut version = create(&store, &key(1), b"", Some(at(0))).await;
    for number in 1..WRITES {
        if begin.elapsed() > WRITING {
            break;
        }
        let (payload, time) = (number.to_be_bytes(), at(number.into()));
        version = replace(&store, &key(1), &payload, Some(time), version).await;
        let when = format!("after {number} replacements");
        assert_loads(&store, &key(1), &payload, (version, Some(time)), &when).await;
        let found = due(&store, None, time, 9).await;
        let expected = [Due {
            key: key(1),
            due: time,
        }];
        assert_eq!(found, expected, "due {when}");
    }
}

/// A record that comes and goes is each time as new.
pub async fn record_can_be_made_again_and_again(subject: Subject<'_>) {
    let store = subject.open().await;
    for round in 0..12_u8 {
        let (payload, time) = ([round; 30], (round % 3 != 2).then(|| at(round.into())));
        let version = create(&store, &key(1), &payload, time).await;
        let when = format!("made again after {round} deletions");
        assert_loads(&store, &key(1), &payload, (version, time), &when).await;
        let found = due(&store, None, at(99), 9).await;
        let found: Vec<_> = found.iter().map(|due| Some(due.due)).collect();
        let expected: Vec<_> = time.into_iter().map(Some).collect();
        assert_eq!(found, expected, "due of a record {when}");
        delete(&store, &key(1), version).await;
    }
}

/// A store that has fewer connections lets calls wait.
pub async fn many_calls_at_once_are_answered(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = sorted_keys(AT_ONCE);
    let mut callers = JoinSet::new();
    for key in keys.clone() {
        let store = store.clone();
        callers.spawn(async move { create(&store, &key, b"payload", Some(at(1))).await });
    }
    callers.join_all().await;
    let calls = keys.iter().map(async |key| {
        present(&store, key).await;
    });
    futures_util::future::join_all(calls).await;
    let calls = (0..AT_ONCE).map(async |number| match number % 4 {
        0 => drop(answered(
            "due, one of many",
            store.due(None, at(9), 5).await,
        )),
        1 => drop(answered("scan, one of many", store.scan(None, 5).await)),
        2 => drop(answered(
            "versions, one of many",
            store.versions(&keys[..5]).await,
        )),
        _ => answered("health, one of many", store.health().await),
    });
    futures_util::future::join_all(calls).await;
    let conflicts = keys.iter().map(async |key| {
        let again = store.save(key, b"again", None, Expect::Absent).await;
        assert!(again.is_err(), "save over a record, one of many");
    });
    all_of(conflicts).await;
}
