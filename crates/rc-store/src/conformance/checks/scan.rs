use std::sync::Arc;

use crate::{
    TokenStore,
    conformance::{
        Subject,
        steps::{
            all_of, assert_of_one_write, at, create, delete, hard_keys, key, number_writes,
            present, replace, scan, scan_all, sorted_keys,
        },
    },
};

pub async fn scan_of_an_empty_store_is_empty(subject: Subject<'_>) {
    let store = subject.open().await;
    assert!(scan(&store, None, 50).await.is_empty());
    let version = create(&store, &key(1), b"one", None).await;
    delete(&store, &key(1), version).await;
    assert!(scan(&store, None, 50).await.is_empty());
}

pub async fn scan_lists_records_whole_and_in_key_order(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = sorted_keys(20);
    for (number, key) in keys.iter().enumerate().rev() {
        let due = (number % 2 == 0).then(|| at(5));
        create(&store, key, key.as_bytes(), due).await;
    }
    let listed = scan_all(&store, 50).await;
    assert_eq!(listed.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys);
    for (number, (key, stored)) in listed.iter().enumerate() {
        assert_eq!(*stored.payload, key.as_bytes());
        assert_eq!(stored.due, (number % 2 == 0).then(|| at(5)));
        assert_eq!(stored.version, present(&store, key).await.version);
    }
}

pub async fn scan_pages_without_gaps_and_repeats(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = sorted_keys(30);
    for key in &keys {
        create(&store, key, b"payload", None).await;
    }
    for page in [1, 7, 100] {
        let listed = scan_all(&store, page).await;
        assert_eq!(
            listed.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
            keys,
            "by {page}"
        );
    }
}

pub async fn scan_keeps_the_limit(subject: Subject<'_>) {
    let store = subject.open().await;
    for number in 0..5 {
        create(&store, &key(number), b"payload", None).await;
    }
    assert_eq!(scan(&store, None, 0).await.len(), 0);
    assert_eq!(scan(&store, None, 3).await.len(), 3);
    assert_eq!(scan(&store, None, usize::MAX).await.len(), 5);
}

pub async fn scan_goes_on_after_a_key_that_is_gone(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = sorted_keys(3);
    create(&store, &keys[0], b"payload", None).await;
    create(&store, &keys[2], b"payload", None).await;
    let listed = scan(&store, Some(keys[1]), 50).await;
    assert_eq!(
        listed.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        [keys[2]]
    );
}

/// Replaces the even ones of these records, and makes and deletes others between them.
async fn disturb(store: Arc<dyn TokenStore>) {
    for round in 0..5 {
        for number in (0..40).step_by(2) {
            let version = present(&store, &key(number)).await.version;
            replace(
                &store,
                &key(number),
                &[round; 100],
                Some(at(round.into())),
                version,
            )
            .await;
            let version = create(&store, &key(1_000 + number), b"passing", None).await;
            delete(&store, &key(1_000 + number), version).await;
        }
    }
}

pub async fn scan_lists_every_lasting_record_during_writes(subject: Subject<'_>) {
    let store = subject.open().await;
    let lasting = sorted_keys(40);
    for key in &lasting {
        create(&store, key, &[0; 100], Some(at(0))).await;
    }
    let writer = tokio::spawn(disturb(store.clone()));
    loop {
        let ended = writer.is_finished();
        let mut listed = scan_all(&store, 7).await;
        assert!(
            listed.is_sorted_by(|(one, _), (two, _)| one < two),
            "not in order, or repeated"
        );
        listed.retain(|(key, _)| lasting.contains(key));
        assert_eq!(
            listed.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
            lasting
        );
        for (key, stored) in listed {
            let round = stored.payload.first().copied().unwrap_or(0);
            assert!(
                *stored.payload == [round; 100] && stored.due == Some(at(round.into())),
                "scan, record {}: payload and due time are of different writes, or cut",
                key.to_hex()
            );
        }
        if ended {
            break;
        }
    }
    writer.await.expect("the writer ends well");
}

/// A store may answer fewer than asked, but 100 or more.
pub async fn scan_answers_a_hundred_at_once(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = sorted_keys(130);
    for key in &keys {
        create(&store, key, b"payload", None).await;
    }
    for limit in [100, 1_000] {
        let found = scan(&store, None, limit).await.len();
        assert!(
            found >= 100,
            "scan with limit {limit}: expected 100 or more of 130, got {found}"
        );
    }
}

pub async fn scan_lists_keys_that_are_hard_to_tell_apart(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = hard_keys();
    let creations = keys
        .iter()
        .map(|key| create(&store, key, key.as_bytes(), None));
    all_of(creations).await;
    // By one record, from each to the next.
    let cursors = std::iter::once(None).chain(keys.iter().copied().map(Some));
    let by_one = all_of(cursors.map(|after| scan(&store, after, 1))).await;
    let by_hundred = scan_all(&store, 100).await;
    for (page, listed) in [
        (1, by_one.into_iter().flatten().collect()),
        (100, by_hundred),
    ] {
        for key in &keys {
            let found = listed.iter().find(|(listed, _)| listed == key);
            let Some((_, stored)) = found else {
                panic!("scan by {page}: {} is not listed", key.to_hex());
            };
            assert_eq!(*stored.payload, key.as_bytes(), "scan: {}", key.to_hex());
        }
        assert_eq!(listed.len(), keys.len(), "scan by {page}");
    }
}

pub async fn scan_during_writes_is_never_torn(subject: Subject<'_>) {
    let store = subject.open().await;
    let writer = tokio::spawn(number_writes(store.clone(), key(1), 60));
    let mut seen = Vec::new();
    while !writer.is_finished() {
        let listed = scan(&store, None, 10).await;
        seen.extend(listed.into_iter().map(|(_, stored)| stored));
    }
    let writes = writer.await.expect("the writer ends well");
    assert_of_one_write("scan", &writes, seen);
}
