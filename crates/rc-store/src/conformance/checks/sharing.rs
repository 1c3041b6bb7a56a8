//! For stores that can be opened several times at one place.

use std::collections::HashSet;

use super::{
    changes::assert_writes_are_told,
    health::assert_healthy,
    races::{
        assert_increments_add_up, assert_one_of_deletions_and_replacements_wins, assert_one_wins,
    },
    version_queries::versions,
};
use crate::{
    Due, DueAt, Expect, RecordKey, TokenStore, Version,
    conformance::{
        Subject,
        steps::{
            absent, assert_loads, at, create, delete, due, key, load, present, replace,
            save_conflicts, scan,
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

pub async fn one_of_deletions_and_replacements_on_two_handles_wins(subject: Subject<'_>) {
    let handles = [subject.open().await, subject.open().await];
    for round in 0..5 {
        assert_one_of_deletions_and_replacements_wins(&handles, key(round)).await;
    }
}

pub async fn every_handle_is_healthy(subject: Subject<'_>) {
    let handles = [subject.open().await, subject.open().await];
    for handle in handles.iter().chain(&handles) {
        assert_healthy(handle, "of one of two handles").await;
    }
    create(&handles[0], &key(1), b"one", None).await;
    assert_healthy(&handles[1], "after a write of another handle").await;
}

/// Who goes takes nothing along.
pub async fn handle_stays_usable_when_others_are_dropped(subject: Subject<'_>) {
    let (one, two) = (subject.open().await, subject.open().await);
    let first = create(&one, &key(1), b"one", Some(at(5))).await;
    drop(one);
    assert_sees(&two, &key(1), Some((first, Some(at(5)))), "dropped since").await;
    let three = subject.open().await;
    let second = replace(&two, &key(1), b"two", Some(at(6)), first).await;
    drop(two);
    assert_sees(
        &three,
        &key(1),
        Some((second, Some(at(6)))),
        "dropped since",
    )
    .await;
    assert_healthy(&three, "after other handles were dropped").await;
    delete(&three, &key(1), second).await;
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

/// Both handles have looked at what was there, and at what was not, before the other one changes it.
pub async fn every_call_sees_writes_of_another_handle(subject: Subject<'_>) {
    let handles = [subject.open().await, subject.open().await];
    for (round, (one, two)) in (1..).zip([(0, 1), (1, 0), (0, 1), (1, 0)]) {
        let (one, two) = (&handles[one], &handles[two]);
        let record = key(round % 2);
        assert_sees(two, &record, None, "nothing yet").await;
        let first = create(one, &record, b"one", Some(at(5))).await;
        assert_sees(two, &record, Some((first, Some(at(5)))), "created").await;
        let second = replace(one, &record, b"two", Some(at(6)), first).await;
        assert_sees(two, &record, Some((second, Some(at(6)))), "replaced").await;
        let third = replace(two, &record, b"three", None, second).await;
        assert_sees(one, &record, Some((third, None)), "replaced").await;
        save_conflicts(one, &record, b"late", None, Expect::Version(second)).await;
        save_conflicts(one, &record, b"late", None, Expect::Absent).await;
        delete(two, &record, third).await;
        assert_sees(one, &record, None, "deleted").await;
    }
}

/// That every reading call of a handle finds this record alone, or nothing.
async fn assert_sees(
    handle: &dyn TokenStore,
    key: &RecordKey,
    expected: Option<(Version, Option<DueAt>)>,
    what: &str,
) {
    let what = format!("of {} by another handle ({what})", key.to_hex());
    let stored = load(handle, key).await;
    let found = stored.map(|stored| (stored.version, stored.due));
    assert_eq!(found, expected, "load {what}");
    let found = versions(handle, &[*key]).await;
    assert_eq!(
        found,
        [expected.map(|(version, _)| version)],
        "versions {what}"
    );
    let found = due(handle, None, at(99), 50).await;
    let found: Vec<_> = found.iter().map(|due| Some(due.due)).collect();
    let due = expected.and_then(|(_, due)| due);
    assert_eq!(found, Vec::from_iter(due.map(Some)), "due {what}");
    let found = scan(handle, None, 50).await;
    let found = found
        .first()
        .map(|(_, stored)| (stored.version, stored.due));
    assert_eq!(found, expected, "scan {what}");
}

/// A counter or a clock of each handle is not enough.
pub async fn versions_do_not_repeat_across_handles(subject: Subject<'_>) {
    let handles = [subject.open_bare().await, subject.open_bare().await];
    let mut version = create(&handles[0], &key(1), b"same", None).await;
    let mut seen = HashSet::from([version]);
    for number in 1..100 {
        version = replace(&handles[number % 2], &key(1), b"same", None, version).await;
        let key = key(1).to_hex();
        assert!(
            seen.insert(version),
            "save of {key}: write {number} has a version that the other handle gave before"
        );
    }
}
