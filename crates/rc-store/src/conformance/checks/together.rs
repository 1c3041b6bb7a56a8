//! What `due`, `scan` and `versions` answer between two loads that saw the same write is what that write
//! left.

use std::{sync::Arc, time::Duration};

use crate::{
    DueAt, Stored, TokenStore, Version,
    conformance::{
        Subject,
        steps::{at, create, delete, due, key, load, replace, scan},
    },
};

use super::version_queries::versions;
use crate::RecordKey;

/// Makes a record, due at first and then not, and deletes it, again and again.
async fn come_and_go(store: Arc<dyn TokenStore>, key: RecordKey) {
    for time in 1..=20 {
        let version = create(&store, &key, b"one", Some(at(time))).await;
        let version = replace(&store, &key, b"two", None, version).await;
        let version = replace(&store, &key, b"three", Some(at(time + 50)), version).await;
        delete(&store, &key, version).await;
    }
}

/// Version and due time of a record, and its payload.
type Seen = (Version, Option<DueAt>, Vec<u8>);

async fn seen(store: &dyn TokenStore) -> Option<Seen> {
    let stored: Option<Stored> = load(store, &key(1)).await;
    stored.map(|stored| (stored.version, stored.due, stored.payload.to_vec()))
}

/// Compares what `ask` answers between two loads of the same write with `left`, what that write left.
async fn assert_together<T: PartialEq + std::fmt::Debug>(
    subject: Subject<'_>,
    call: &str,
    ask: impl AsyncFn(&dyn TokenStore) -> T,
    left: impl Fn(Seen) -> T,
) {
    // The reader is never slow: three calls have to fit between two writes.
    let store = subject.open_bare().await;
    let writer = tokio::spawn(come_and_go(subject.watched(store.clone()), key(1)));
    for round in 0_u32.. {
        if writer.is_finished() {
            break;
        }
        match round % 8 {
            0 => tokio::time::sleep(Duration::from_millis(1)).await,
            _ => tokio::task::yield_now().await,
        }
        let before = seen(&store).await;
        let found = ask(&store).await;
        let Some(before) = before else {
            continue;
        };
        if Some(&before) == seen(&store).await.as_ref() {
            let record = key(1).to_hex();
            assert!(
                found == left(before),
                "{call} of {record} between two loads: not what both loads saw"
            );
        }
    }
    writer.await.expect("the writer ends well");
}

pub async fn due_changes_together_with_its_record(subject: Subject<'_>) {
    let ask = async |store: &dyn TokenStore| {
        let found = due(store, None, at(99), 50).await;
        found.first().map(|due| due.due)
    };
    assert_together(subject, "due", ask, |(_, due, _)| due).await;
}

pub async fn scan_changes_together_with_its_record(subject: Subject<'_>) {
    let ask = async |store: &dyn TokenStore| {
        let found = scan(store, None, 50).await.into_iter().next();
        found.map(|(_, stored)| (stored.version, stored.due, stored.payload.to_vec()))
    };
    assert_together(subject, "scan", ask, Some).await;
}

pub async fn versions_changes_together_with_its_record(subject: Subject<'_>) {
    let ask = async |store: &dyn TokenStore| versions(store, &[key(1)]).await;
    assert_together(subject, "versions", ask, |(version, ..)| {
        vec![Some(version)]
    })
    .await;
}
