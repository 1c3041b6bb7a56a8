//! For stores that keep records at a place: one handle is dropped before the next is opened.

use std::collections::HashSet;

use crate::{
    Due, Expect,
    conformance::{
        Subject,
        steps::{absent, at, create, delete, due, key, present, replace, save_conflicts},
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
