//! For stores that can be opened several times at one place.

use super::{
    changes::assert_writes_are_told,
    races::{assert_increments_add_up, winners},
    version_queries::versions,
};
use crate::{
    Due, Expect,
    conformance::{
        Subject,
        steps::{assert_conflict, at, create, delete, due, key, load, present, replace},
    },
};

pub async fn handles_see_each_others_writes(subject: Subject<'_>) {
    let (one, two) = (subject.open().await, subject.open().await);
    let first = create(&one, &key(1), b"one", None).await;
    assert_eq!(present(&two, &key(1)).await.version, first);
    let second = replace(&two, &key(1), b"two", Some(at(5)), first).await;
    assert_conflict(
        one.save(&key(1), b"late", None, Expect::Version(first))
            .await,
    );
    assert_eq!(*present(&one, &key(1)).await.payload, b"two");
    assert_eq!(
        due(&one, None, at(5), 50).await,
        [Due {
            key: key(1),
            due: at(5)
        }]
    );
    delete(&one, &key(1), second).await;
    assert!(load(&two, &key(1)).await.is_none());
}

pub async fn one_of_many_replacements_on_two_handles_wins(subject: Subject<'_>) {
    let handles = [subject.open().await, subject.open().await];
    assert_eq!(winners(&handles, Expect::Absent).await, 1);
    for _ in 0..5 {
        let version = present(&handles[0], &key(1)).await.version;
        assert_eq!(winners(&handles, Expect::Version(version)).await, 1);
    }
}

pub async fn increments_on_two_handles_are_never_lost(subject: Subject<'_>) {
    assert_increments_add_up(&[subject.open().await, subject.open().await]).await;
}

pub async fn versions_sees_writes_of_another_handle(subject: Subject<'_>) {
    let (one, two) = (subject.open().await, subject.open().await);
    let keys = [key(1)];
    for _ in 0..5 {
        assert_eq!(versions(&two, &keys).await, [None]);
        let first = create(&one, &key(1), b"one", None).await;
        assert_eq!(versions(&two, &keys).await, [Some(first)], "created");
        let second = replace(&one, &key(1), b"two", None, first).await;
        assert_eq!(versions(&two, &keys).await, [Some(second)], "replaced");
        delete(&one, &key(1), second).await;
    }
}

pub async fn changes_tells_writes_of_another_handle(subject: Subject<'_>) {
    let (one, two) = (subject.open().await, subject.open().await);
    if let Some(mut changes) = two.changes() {
        assert_writes_are_told(&one, &mut changes).await;
    }
}

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
    assert!(load(&store, &key(2)).await.is_none());
    assert_eq!(
        due(&store, None, at(9), 50).await,
        [Due {
            key: key(1),
            due: at(5)
        }]
    );
    replace(&store, &key(1), b"new", None, first).await;
    assert_conflict(
        store
            .save(&key(2), b"late", None, Expect::Version(gone))
            .await,
    );
}
