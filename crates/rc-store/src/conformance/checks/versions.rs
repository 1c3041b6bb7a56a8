use std::collections::HashSet;

use crate::{
    Expect, Version,
    conformance::{
        Subject,
        steps::{
            absent, all_of, at, create, delete, delete_conflicts, key, present, replace,
            save_conflicts,
        },
    },
};

pub async fn creating_over_a_record_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"one", None).await;
    save_conflicts(&store, &key(1), b"two", None, Expect::Absent).await;
}

pub async fn replacing_an_absent_record_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    let expect = Expect::Version(Version::new([7; 16]));
    save_conflicts(&store, &key(1), b"one", None, expect).await;
    absent(&store, &key(1)).await;
}

pub async fn replacing_an_older_version_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    let first = create(&store, &key(1), b"one", None).await;
    replace(&store, &key(1), b"two", None, first).await;
    save_conflicts(&store, &key(1), b"three", None, Expect::Version(first)).await;
}

pub async fn version_of_another_key_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"one", None).await;
    let other = create(&store, &key(2), b"two", None).await;
    save_conflicts(&store, &key(1), b"three", None, Expect::Version(other)).await;
    delete_conflicts(&store, &key(1), other).await;
}

pub async fn version_with_one_flipped_bit_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), b"one", None).await;
    let (store, record) = (&store, &key(1));
    let refused = (0..128).map(async |bit: usize| {
        let mut bytes = *version.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let near = Version::new(bytes);
        save_conflicts(store, record, b"two", None, Expect::Version(near)).await;
        delete_conflicts(store, record, near).await;
    });
    all_of(refused).await;
}

/// No version stands for any, or for none.
pub async fn version_of_zeros_or_ones_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"one", None).await;
    for byte in [0, 0xff, 1, b'*'] {
        let version = Version::new([byte; 16]);
        for record in [key(1), key(2)] {
            save_conflicts(&store, &record, b"two", None, Expect::Version(version)).await;
            delete_conflicts(&store, &record, version).await;
        }
    }
    absent(&store, &key(2)).await;
    assert_eq!(*present(&store, &key(1)).await.payload, b"one");
}

pub async fn conflict_changes_nothing(subject: Subject<'_>) {
    let store = subject.open().await;
    let first = create(&store, &key(1), b"one", None).await;
    let second = replace(&store, &key(1), b"two", Some(at(2)), first).await;
    save_conflicts(&store, &key(1), b"lost", None, Expect::Absent).await;
    save_conflicts(
        &store,
        &key(1),
        b"lost",
        Some(at(9)),
        Expect::Version(first),
    )
    .await;
    delete_conflicts(&store, &key(1), first).await;
    let stored = present(&store, &key(1)).await;
    assert_eq!(*stored.payload, b"two");
    assert_eq!((stored.version, stored.due), (second, Some(at(2))));
}

pub async fn every_write_has_a_new_version(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut version = create(&store, &key(1), b"same", None).await;
    let mut seen = HashSet::from([version]);
    for _ in 0..50 {
        version = replace(&store, &key(1), b"same", None, version).await;
        assert!(seen.insert(version), "a version came again");
        assert_eq!(present(&store, &key(1)).await.version, version);
    }
}

pub async fn version_is_not_reused_after_delete(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let version = create(&store, &key(1), b"same", None).await;
        assert!(seen.insert(version), "a version came again");
        delete(&store, &key(1), version).await;
    }
    let now = create(&store, &key(1), b"same", None).await;
    for old in seen {
        save_conflicts(&store, &key(1), b"late", None, Expect::Version(old)).await;
        delete_conflicts(&store, &key(1), old).await;
    }
    assert_eq!(present(&store, &key(1)).await.version, now);
}

pub async fn deleted_record_is_absent(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), b"one", None).await;
    create(&store, &key(2), b"two", None).await;
    delete(&store, &key(1), version).await;
    absent(&store, &key(1)).await;
    save_conflicts(&store, &key(1), b"late", None, Expect::Version(version)).await;
    assert_eq!(*present(&store, &key(2)).await.payload, b"two");
}

pub async fn deleting_another_version_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    let first = create(&store, &key(1), b"one", None).await;
    replace(&store, &key(1), b"two", None, first).await;
    delete_conflicts(&store, &key(1), first).await;
    assert_eq!(*present(&store, &key(1)).await.payload, b"two");
}

pub async fn deleting_an_absent_record_conflicts(subject: Subject<'_>) {
    let store = subject.open().await;
    delete_conflicts(&store, &key(1), Version::new([7; 16])).await;
    let version = create(&store, &key(1), b"one", None).await;
    delete(&store, &key(1), version).await;
    delete_conflicts(&store, &key(1), version).await;
}

/// A store that remembers deleted records, so as not to repeat their versions, must not forget some.
pub async fn version_is_not_reused_after_many_other_deletions(subject: Subject<'_>) {
    let store = subject.open_bare().await;
    let first = create(&store, &key(0), b"same", None).await;
    delete(&store, &key(0), first).await;
    for number in 1..300 {
        let version = create(&store, &key(number), b"same", None).await;
        delete(&store, &key(number), version).await;
    }
    let again = create(&store, &key(0), b"same", None).await;
    assert_ne!(
        again,
        first,
        "save of {}: a version came again after other records were deleted",
        key(0).to_hex()
    );
}

/// Enough to show a tag of one or two random bytes, and a clock that ticks in milliseconds.
pub async fn a_thousand_writes_have_a_thousand_versions(subject: Subject<'_>) {
    let store = subject.open_bare().await;
    let mut version = create(&store, &key(1), b"same", None).await;
    let mut seen = HashSet::from([version]);
    for number in 1..1_000 {
        version = replace(&store, &key(1), b"same", None, version).await;
        let key = key(1).to_hex();
        assert!(
            seen.insert(version),
            "save of {key}: write {number} has a version that an earlier one had"
        );
    }
}
