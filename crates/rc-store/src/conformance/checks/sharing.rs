//! For stores that can be opened several times at one place.

use super::{
    changes::assert_writes_are_told,
    races::{assert_increments_add_up, assert_one_wins},
    version_queries::versions,
};
use crate::{
    Due, Expect,
    conformance::{
        Subject,
        steps::{
            absent, assert_loads, at, create, delete, due, key, present, replace, save_conflicts,
        },
    },
};

pub async fn handles_see_each_others_writes(subject: Subject<'_>) {
    let (one, two) = (subject.open().await, subject.open().await);
    let first = create(&one, &key(1), b"one", None).await;
    assert_eq!(present(&two, &key(1)).await.version, first);
    let second = replace(&two, &key(1), b"two", Some(at(5)), first).await;
    save_conflicts(&one, &key(1), b"late", None, Expect::Version(first)).await;
    assert_eq!(*present(&one, &key(1)).await.payload, b"two");
    assert_eq!(
        due(&one, None, at(5), 50).await,
        [Due {
            key: key(1),
            due: at(5)
        }]
    );
    delete(&one, &key(1), second).await;
    absent(&two, &key(1)).await;
}

pub async fn one_of_many_replacements_on_two_handles_wins(subject: Subject<'_>) {
    let handles = [subject.open().await, subject.open().await];
    assert_one_wins(&handles, Expect::Absent).await;
    for _ in 0..5 {
        let version = present(&handles[0], &key(1)).await.version;
        assert_one_wins(&handles, Expect::Version(version)).await;
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

/// Both handles have read each state before the other one changes it.
pub async fn load_sees_writes_of_another_handle(subject: Subject<'_>) {
    let handles = [subject.open().await, subject.open().await];
    for (one, two) in [(0, 1), (1, 0), (0, 1)] {
        let (one, two) = (&handles[one], &handles[two]);
        let first = create(one, &key(1), b"one", None).await;
        assert_loads(
            two,
            &key(1),
            b"one",
            (first, None),
            "created by another handle",
        )
        .await;
        let second = replace(one, &key(1), b"two", Some(at(5)), first).await;
        let state = (second, Some(at(5)));
        assert_loads(two, &key(1), b"two", state, "replaced by another handle").await;
        assert_loads(one, &key(1), b"two", state, "replaced by itself").await;
        delete(one, &key(1), second).await;
        absent(two, &key(1)).await;
    }
}
