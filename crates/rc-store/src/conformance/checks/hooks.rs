//! For stores whose authors say how to break the place.

use std::time::Duration;

use super::{
    changes::{assert_told, told_within},
    secrecy::{SECRET, shows_secret},
};
use crate::{
    Due, Expect, Listed, StoreError, TokenStore, Version,
    conformance::{
        Subject,
        steps::{
            absent, all_due, answered, assert_loads, at, create, delete, delete_conflicts,
            explained, key, replace, save_conflicts, sorted_keys,
        },
    },
};

/// How soon a stream of changes has to find its backend again.
const RECONNECTED: Duration = Duration::from_secs(20);

/// What a backend that fails must not be taken for: no record, or another writer.
fn assert_failed<T>(call: &str, answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Unavailable(_) | StoreError::NotWritten(_)) => {}
        Err(error) => panic!(
            "{call} while the backend fails: expected Unavailable or NotWritten, got {}",
            explained(&error)
        ),
        Ok(_) => panic!("{call} while the backend fails: expected an error, got an answer"),
    }
}

pub async fn failing_backend_is_an_error_and_works_again(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), b"one", Some(at(1))).await;
    subject.fail(true).await;
    assert_failed("load", store.load(&key(1)).await);
    assert_failed("due", store.due(None, at(9), 10).await);
    assert_failed("scan", store.scan(None, 10).await);
    assert_failed("versions", store.versions(&[key(1)]).await);
    let save = store.save(&key(2), b"two", None, Expect::Absent).await;
    assert_failed("save", save);
    let expect = Expect::Version(version);
    let save = store.save(&key(1), b"two", None, expect).await;
    assert_failed("save over a record", save);
    assert_failed("delete", store.delete(&key(1), version).await);
    assert_failed("health", store.health().await);
    subject.fail(false).await;
    assert_works_again(&store, version).await;
}

async fn assert_works_again(store: &dyn TokenStore, version: Version) {
    let health = store.health().await;
    assert!(
        health.is_ok(),
        "health of a backend that works again: {health:?}"
    );
    let state = (version, Some(at(1)));
    assert_loads(store, &key(1), b"one", state, "later").await;
    absent(store, &key(2)).await;
    let due = all_due(store, at(9), 10).await;
    assert_eq!(due.len(), 1, "due of a backend that works again");
    let listed = answered("scan", store.scan(None, 10).await);
    assert_eq!(listed.len(), 1, "scan of a backend that works again");
    let found = answered("versions", store.versions(&[key(1)]).await);
    assert_eq!(found, [Some(version)], "versions, working again");
    let version = replace(store, &key(1), b"two", None, version).await;
    create(store, &key(2), b"two", None).await;
    delete(store, &key(1), version).await;
}

/// Causes are shown to operators: they must not carry what was to be saved.
pub async fn failing_backend_hides_payloads(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), SECRET.as_bytes(), None).await;
    subject.fail(true).await;
    for (key, expect) in [(key(1), Expect::Version(version)), (key(2), Expect::Absent)] {
        let answer = store
            .save(&key, SECRET.as_bytes(), Some(at(1)), expect)
            .await;
        let shown = match answer {
            Err(error) => format!("{} {error:?} {error:#?}", explained(&error)),
            Ok(_) => panic!("save while the backend fails: expected an error, got an answer"),
        };
        assert!(!shows_secret(&shown), "an error shows a payload: {shown}");
        let shown = format!("{store:?}");
        assert!(!shows_secret(&shown), "Debug shows a payload: {shown}");
    }
    subject.fail(false).await;
}

pub async fn changes_goes_on_after_a_failing_backend(subject: Subject<'_>) {
    let store = subject.open().await;
    let Some(mut before) = store.changes() else {
        return;
    };
    let first = create(&store, &key(0), b"zero", None).await;
    let told = (key(0), Some(first));
    assert_told(&mut before, told, &[first], "a write before the failure").await;
    subject.fail(true).await;
    let during = store.changes();
    subject.fail(false).await;
    let version = create(&store, &key(1), b"one", None).await;
    let told = (key(1), Some(version));
    let what = "a write after the backend failed, to a stream made before,";
    told_within(RECONNECTED, &mut before, told, &[version], what).await;
    if let Some(mut during) = during {
        let what = "a write after the backend failed, to a stream made while it did,";
        told_within(RECONNECTED, &mut during, told, &[version], what).await;
    }
}

pub async fn damaged_record_is_corrupt_and_hides_no_other(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut versions = Vec::new();
    for number in 0..3 {
        versions.push(create(&store, &key(number), b"payload", Some(at(1))).await);
    }
    subject.damage(key(1)).await;
    let loaded = store.load(&key(1)).await;
    assert!(
        matches!(loaded, Err(StoreError::Corrupt(_))),
        "load of a damaged record: expected Corrupt, got {loaded:?}"
    );
    assert_loads(
        &store,
        &key(2),
        b"payload",
        (versions[2], Some(at(1))),
        "beside it",
    )
    .await;
    assert_eq!(
        all_due(&store, at(9), 10).await.len(),
        3,
        "due lists it too"
    );
    let listed = store.scan(None, 10).await;
    let listed = listed.unwrap_or_else(|error| panic!("scan: {}", explained(&error)));
    let corrupt = listed
        .iter()
        .filter(|record| record.stored.is_err())
        .count();
    assert_eq!(
        (listed.len(), corrupt),
        (3, 1),
        "scan: records, and those with an error"
    );
    let version = replace(&store, &key(1), b"mended", None, versions[1]).await;
    assert_loads(&store, &key(1), b"mended", (version, None), "replaced").await;
}

/// Where a page begins and ends does not matter; `due` and `versions` read no payload.
pub async fn damaged_record_is_listed_page_by_page(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = sorted_keys(5);
    let mut versions = Vec::new();
    for key in &keys {
        versions.push(create(&store, key, b"payload", Some(at(1))).await);
    }
    subject.damage(keys[2]).await;
    let expected: Vec<Due> = keys
        .iter()
        .map(|key| Due {
            key: *key,
            due: at(1),
        })
        .collect();
    for page in [1, 2, 5] {
        let found = all_due(&store, at(9), page).await;
        assert_eq!(found, expected, "due by {page} with a damaged record");
        let mut listed: Vec<Listed> = Vec::new();
        loop {
            let after = listed.last().map(|record| record.key);
            let found = answered("scan", store.scan(after, page).await);
            if found.is_empty() {
                break;
            }
            listed.extend(found);
            assert!(listed.len() <= keys.len(), "scan repeats records");
        }
        let found: Vec<_> = listed.iter().map(|record| record.key).collect();
        assert_eq!(found, keys, "scan by {page} with a damaged record");
        for Listed { key, stored } in listed {
            match stored {
                Ok(_) => assert_ne!(key, keys[2], "scan reads a damaged record"),
                Err(StoreError::Corrupt(_)) => assert_eq!(key, keys[2], "scan: Corrupt"),
                Err(error) => panic!("scan: expected Corrupt, got {}", explained(&error)),
            }
        }
    }
    let found = answered("versions", store.versions(&keys).await);
    assert!(
        found[2].is_some(),
        "versions of a damaged record: expected one, got None"
    );
    versions[2] = found[2].unwrap_or(versions[2]);
    let expected: Vec<_> = versions.into_iter().map(Some).collect();
    assert_eq!(found, expected, "versions with a damaged record");
}

pub async fn damaged_record_is_replaced_and_deleted_by_its_version_only(subject: Subject<'_>) {
    let store = subject.open().await;
    let other = Version::new([7; 16]);
    for (record, replaced) in [(key(1), true), (key(2), false)] {
        let version = create(&store, &record, b"payload", Some(at(1))).await;
        subject.damage(record).await;
        for expect in [Expect::Absent, Expect::Version(other)] {
            save_conflicts(&store, &record, b"late", None, expect).await;
        }
        delete_conflicts(&store, &record, other).await;
        if replaced {
            let state = replace(&store, &record, b"mended", Some(at(2)), version).await;
            let state = (state, Some(at(2)));
            assert_loads(&store, &record, b"mended", state, "replaced").await;
        } else {
            delete(&store, &record, version).await;
            absent(&store, &record).await;
            create(&store, &record, b"made again", None).await;
        }
    }
}
