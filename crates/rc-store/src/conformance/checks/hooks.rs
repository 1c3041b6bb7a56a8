//! For stores whose authors say how to break the place.

use crate::{
    Expect, StoreError,
    conformance::{
        Subject,
        steps::{all_due, assert_loads, at, create, explained, key, replace},
    },
};

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
    assert_failed("health", store.health().await);
    subject.fail(false).await;
    let health = store.health().await;
    assert!(
        health.is_ok(),
        "health of a backend that works again: {health:?}"
    );
    assert_loads(&store, &key(1), b"one", (version, Some(at(1))), "later").await;
    replace(&store, &key(1), b"two", None, version).await;
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
