//! For stores whose authors say how to end every handle abruptly.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    Expect, StoreError, Stored, TokenStore, Version,
    conformance::{
        Subject,
        steps::{all_due, at, explained, key, load},
    },
};

/// Records that are written at the same time.
const RECORDS: u32 = 8;

/// The writes after which the crash comes; writes are on their way then.
const WRITES: u32 = 100;

/// How long a call may go on after every handle has ended.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// What a writer knows of its record: its number, and the version of the last write that was answered.
#[derive(Clone, Copy, Default)]
struct Known {
    begun: u8,
    answered: u8,
    version: Option<Version>,
}

type Shared = Arc<Mutex<Known>>;

fn known(shared: &Shared) -> Known {
    *shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(shared: &Shared, now: Known) {
    *shared.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

/// Writes one record again and again until a call fails.
async fn write(store: Arc<dyn TokenStore>, record: u32, shared: Shared, count: Arc<AtomicU32>) {
    let mut now = known(&shared);
    while now.begun < u8::MAX {
        let number = now.begun + 1;
        now.begun = number;
        note(&shared, now);
        let expect = now.version.map_or(Expect::Absent, Expect::Version);
        let payload = vec![number; 2_000];
        let due = Some(at(number.into()));
        match store.save(&key(record), &payload, due, expect).await {
            Ok(version) => now.version = Some(version),
            Err(StoreError::Unavailable(_) | StoreError::NotWritten(_)) => return,
            Err(error) => panic!("save before the crash: {}", explained(&error)),
        }
        now.answered = number;
        note(&shared, now);
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether a record is what the last answered write left, or one that was on its way.
fn assert_kept(record: u32, known: Known, stored: Option<&Stored>, round: u32) {
    let record = key(record).to_hex();
    let Some(stored) = stored else {
        let answered = known.answered;
        assert!(
            known.version.is_none(),
            "load of {record} after crash {round}: expected write {answered}, got None"
        );
        return;
    };
    let number = stored.payload.first().copied().unwrap_or(0);
    let (least, most) = (known.answered, known.begun);
    assert!(
        (least..=most).contains(&number),
        "load of {record} after crash {round}: expected write {least} to {most}, got {number}"
    );
    let whole = *stored.payload == [number; 2_000] && stored.due == Some(at(number.into()));
    assert!(
        whole,
        "load of {record} after crash {round}: torn: {stored:?}"
    );
    if number == least {
        assert_eq!(
            Some(stored.version),
            known.version,
            "load of {record} after crash {round}: another version than was answered"
        );
    }
}

pub async fn crashed_store_keeps_every_answered_write(subject: Subject<'_>) {
    let records: Vec<Shared> = (0..RECORDS).map(|_| Shared::default()).collect();
    for round in 1..=3 {
        let store = subject.open().await;
        let count = Arc::new(AtomicU32::new(0));
        let mut writers = JoinSet::new();
        for (record, shared) in (0..).zip(&records) {
            writers.spawn(write(store.clone(), record, shared.clone(), count.clone()));
        }
        while count.load(Ordering::SeqCst) < WRITES && !writers.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            while let Some(ended) = writers.try_join_next() {
                ended.expect("a writer ends well");
            }
        }
        subject.crash().await;
        let _some_may_hang = timeout(AFTERWARDS, async {
            while let Some(ended) = writers.join_next().await {
                ended.expect("a writer ends well");
            }
        })
        .await;
        writers.shutdown().await;
        drop(store);

        let store = subject.open().await;
        let due = all_due(&store, at(999), 50).await;
        for (record, shared) in (0..).zip(&records) {
            let stored = load(&store, &key(record)).await;
            assert_kept(record, known(shared), stored.as_ref(), round);
            let listed = due.iter().find(|due| due.key == key(record));
            assert_eq!(
                listed.map(|due| due.due),
                stored.as_ref().and_then(|stored| stored.due),
                "due of {} after crash {round}, and what is loaded",
                key(record).to_hex()
            );
            let begun = stored.as_ref().and_then(|stored| stored.payload.first());
            let begun = begun.copied().unwrap_or(0);
            note(
                shared,
                Known {
                    begun,
                    answered: begun,
                    version: stored.map(|stored| stored.version),
                },
            );
        }
    }
}
