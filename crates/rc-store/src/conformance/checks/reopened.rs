//! For stores that keep records at a place: one handle is dropped before the next is opened.

use std::collections::{BTreeMap, HashSet};

use super::{
    kinds::{assert_kept, create_every_kind},
    many::{assert_all_listed, make_thousands},
};
use crate::{
    Due, Expect,
    conformance::{
        Pace, Subject,
        steps::{
            absent, all_due, all_of, at, create, delete, due, key, present, replace,
            save_conflicts, scan_all,
        },
    },
};

pub async fn reopened_store_keeps_records(subject: Subject<'_>) {
    let store = subject.open().await;
    let first = create(&store, &key(1), b"one", Some(at(5))).await;
    let gone = create(&store, &key(2), b"two", Some(at(6))).await;
    delete(&store, &key(2), gone).await;
    drop(store);

    let store = subject.open().await;
    let stored = present(&store, &key(1)).await;
    assert_eq!(*stored.payload, b"one");
    assert_eq!((stored.version, stored.due), (first, Some(at(5))));
    absent(&store, &key(2)).await;
    assert_eq!(
        due(&store, None, at(9), 50).await,
        [Due {
            key: key(1),
            due: at(5)
        }]
    );
    replace(&store, &key(1), b"new", None, first).await;
    save_conflicts(&store, &key(2), b"late", None, Expect::Version(gone)).await;
}

pub async fn reopened_store_keeps_every_kind_of_record(subject: Subject<'_>) {
    let store = subject.open().await;
    let kept = create_every_kind(&store).await;
    drop(store);
    let store = subject.open().await;
    assert_kept(&store, &kept, "after reopening").await;
}

pub async fn reopened_store_keeps_thousands_of_records(subject: Subject<'_>) {
    // The same at both paces: nothing stands between.
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let made = make_thousands(&store).await;
    drop(store);
    let store = subject.open_bare().await;
    assert_all_listed(&store, made).await;
}

pub async fn reopened_store_does_not_reuse_versions(subject: Subject<'_>) {
    let mut seen = HashSet::new();
    for round in 0..4 {
        let store = subject.open().await;
        let mut version = create(&store, &key(1), b"same", None).await;
        for _ in 0..5 {
            let new = seen.insert(version);
            assert!(
                new,
                "save: a version came again after reopening {round} times"
            );
            version = replace(&store, &key(1), b"same", None, version).await;
        }
        assert!(
            seen.insert(version),
            "save: a version came again after {round} times"
        );
        delete(&store, &key(1), version).await;
    }
}

pub async fn reopened_store_keeps_hundreds_of_records(subject: Subject<'_>) {
    let store = subject.open().await;
    let creations = (0..300_u32).map(async |number| {
        let due = (number % 3 != 0).then(|| at(i64::from(number % 7)));
        let version = create(&store, &key(number), &number.to_be_bytes(), due).await;
        (key(number), (number, version, due))
    });
    let expected: BTreeMap<_, _> = all_of(creations).await.into_iter().collect();
    drop(store);

    let store = subject.open().await;
    let listed = scan_all(&store, 100).await;
    let listed: Vec<_> = listed
        .iter()
        .map(|(key, stored)| (*key, stored.payload.to_vec(), stored.version, stored.due))
        .collect();
    let kept = expected
        .iter()
        .map(|(key, (number, version, due))| (*key, number.to_be_bytes().to_vec(), *version, *due));
    assert_eq!(listed, kept.collect::<Vec<_>>(), "scan after reopening");
    let mut times: Vec<_> = expected
        .iter()
        .filter_map(|(key, (.., due))| due.map(|due| Due { key: *key, due }))
        .collect();
    times.sort_by_key(|due| (due.due, due.key));
    assert_eq!(
        all_due(&store, at(99), 100).await,
        times,
        "due after reopening"
    );
}
