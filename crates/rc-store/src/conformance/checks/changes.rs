//! For stores that tell changes; the others pass.

use std::{
    collections::HashMap,
    future::poll_fn,
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::{
    Change, ChangeStream, RecordKey, TokenStore, Version,
    conformance::{
        Pace, Subject,
        steps::{all_of, create, delete, key, replace},
    },
};

/// How soon a change has to be told.
const SOON: Duration = Duration::from_secs(5);

/// After this time without a hint, what was written before is taken as told. A store that asks its backend
/// less often is tested less strictly, not failed.
const QUIET: Duration = Duration::from_millis(300);

/// More streams, twice, than a pool has connections.
const DROPPED: u32 = 70;

/// More than a reader who sleeps should keep waiting.
const MANY: u32 = 300;

async fn next(changes: &mut ChangeStream) -> Change {
    let next = poll_fn(|context| changes.as_mut().poll_next(context)).await;
    next.expect("a stream of changes goes on while its store is there")
}

/// The next hint, which has to come soon.
pub(super) async fn next_soon(changes: &mut ChangeStream) -> Change {
    let change = timeout(SOON, next(changes)).await;
    change.unwrap_or_else(|_| panic!("a write is neither named nor a gap in {SOON:?}"))
}

/// Reads what is left to tell about earlier writes. A store that gaps at intervals is never quiet, which
/// is as good: its next gap is a hint too.
async fn settle(changes: &mut ChangeStream) {
    let quiet = async { while timeout(QUIET, next(changes)).await.is_ok() {} };
    let _quiet_or_gaps_at_intervals = timeout(SOON, quiet).await;
}

/// Waits until this write is named or covered by a gap. `versions` are all that the record ever had.
pub(super) async fn assert_told(
    changes: &mut ChangeStream,
    write: (RecordKey, Option<Version>),
    versions: &[Version],
    what: &str,
) {
    told_within(SOON, changes, write, versions, what).await;
}

/// The same with a limit of its own.
pub(super) async fn told_within(
    soon: Duration,
    changes: &mut ChangeStream,
    (record, left): (RecordKey, Option<Version>),
    versions: &[Version],
    what: &str,
) {
    let told = async {
        loop {
            match next(changes).await {
                Change::Gap => return,
                Change::Key { key, version } if key == record => {
                    if version == left {
                        return;
                    }
                    let known = version.is_none_or(|version| versions.contains(&version));
                    assert!(known, "{what}: a version is told that no write has left");
                }
                Change::Key { .. } => {}
            }
        }
    };
    // At the limit the stream is polled once more, woken or not: that does not count.
    let begin = Instant::now();
    let told = timeout(soon, told).await.is_ok() && begin.elapsed() < soon;
    let record = record.to_hex();
    assert!(
        told,
        "{what} of {record} is neither named nor a gap in {soon:?}"
    );
}

/// Makes, replaces and deletes a record; the stream has to tell each.
pub(super) async fn assert_writes_are_told(store: &dyn TokenStore, changes: &mut ChangeStream) {
    let record = key(1);
    settle(changes).await;
    let first = create(store, &record, b"one", None).await;
    assert_told(changes, (record, Some(first)), &[first], "a creation").await;

    settle(changes).await;
    let second = replace(store, &record, b"two", None, first).await;
    let versions = [first, second];
    assert_told(changes, (record, Some(second)), &versions, "a replacement").await;

    settle(changes).await;
    delete(store, &record, second).await;
    assert_told(changes, (record, None), &versions, "a deletion").await;
}

pub async fn changes_tells_every_kind_of_write(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(0), b"before", None).await;
    if let Some(mut changes) = store.changes() {
        assert_writes_are_told(&store, &mut changes).await;
    }
}

pub async fn changes_tells_a_write_that_follows_at_once(subject: Subject<'_>) {
    let store = subject.open().await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    let version = create(&store, &key(1), b"one", None).await;
    let told = (key(1), Some(version));
    assert_told(
        &mut changes,
        told,
        &[version],
        "a write before the first poll",
    )
    .await;
}

pub async fn changes_tells_every_reader(subject: Subject<'_>) {
    let store = subject.open().await;
    let (Some(mut one), Some(mut two)) = (store.changes(), store.changes()) else {
        return;
    };
    settle(&mut one).await;
    settle(&mut two).await;
    let version = create(&store, &key(1), b"one", None).await;
    for changes in [&mut one, &mut two] {
        let told = (key(1), Some(version));
        assert_told(
            changes,
            told,
            &[version],
            "a write, to each of two readers,",
        )
        .await;
    }
}

pub async fn changes_tells_a_slow_reader_of_everything_or_a_gap(subject: Subject<'_>) {
    let store = subject.open().await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    settle(&mut changes).await;
    let creations = (0..MANY).map(async |number| {
        let version = create(&store, &key(number), b"payload", None).await;
        (key(number), version)
    });
    let mut missing: HashMap<_, _> = all_of(creations).await.into_iter().collect();
    let told = async {
        while !missing.is_empty() {
            match next(&mut changes).await {
                Change::Gap => return,
                Change::Key { key, version } if missing.get(&key).copied() == version => {
                    missing.remove(&key);
                }
                Change::Key { .. } => {}
            }
        }
    };
    let told = timeout(SOON, told).await;
    let left = missing.len();
    assert!(
        told.is_ok(),
        "{left} of {MANY} writes were not told, and no gap"
    );
}

pub async fn dropped_streams_of_changes_leave_the_store_usable(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut version = create(&store, &key(1), b"one", None).await;
    for _ in 0..DROPPED {
        let unread = store.changes();
        if let Some(mut begun) = store.changes() {
            let mut context = Context::from_waker(Waker::noop());
            let _first = begun.as_mut().poll_next(&mut context);
        }
        version = replace(&store, &key(1), b"again", None, version).await;
        drop(unread);
    }
    delete(&store, &key(1), version).await;
    if let Some(mut changes) = store.changes() {
        assert_writes_are_told(&store, &mut changes).await;
    }
}

/// Records that were there before the stream, and such as are easily left out.
pub async fn changes_tells_writes_of_every_record(subject: Subject<'_>) {
    let store = subject.open().await;
    let ends = [[0; 32], [0xff; 32]].map(RecordKey::new);
    let mut versions = Vec::new();
    for key in &ends {
        versions.push(create(&store, key, b"before", None).await);
    }
    let Some(mut changes) = store.changes() else {
        return;
    };
    for (record, before) in ends.into_iter().zip(versions) {
        settle(&mut changes).await;
        let empty = replace(&store, &record, b"", None, before).await;
        let known = [before, empty];
        let what = "a replacement by an empty payload";
        assert_told(&mut changes, (record, Some(empty)), &known, what).await;
        delete(&store, &record, empty).await;
        let what = "a deletion after others";
        assert_told(&mut changes, (record, None), &known, what).await;
    }
    // What this stream has never named is deleted.
    let version = create(&store, &key(3), b"before", None).await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    settle(&mut changes).await;
    delete(&store, &key(3), version).await;
    let what = "a deletion of what was there before";
    assert_told(&mut changes, (key(3), None), &[version], what).await;
}

/// So many writes, or as many as a second lets, are told to one who reads on.
const READ_ON: u32 = 3_000;

pub async fn changes_goes_on_for_thousands_of_writes(subject: Subject<'_>) {
    // The same at both paces: nothing stands between.
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    let begin = std::time::Instant::now();
    for number in 1..READ_ON {
        let version = create(&store, &key(number), b"", None).await;
        if begin.elapsed() > SOON / 5 {
            break;
        }
        if number % 50 == 0 {
            let told = (key(number), Some(version));
            let what = format!("write {number}");
            assert_told(&mut changes, told, &[version], &what).await;
        }
    }
}

/// Only with the word `notifying`.
pub async fn notifying_store_tells_changes(subject: Subject<'_>) {
    let store = subject.open().await;
    let Some(mut changes) = store.changes() else {
        panic!("changes: expected a stream of a store declared `notifying`, got None");
    };
    assert_writes_are_told(&store, &mut changes).await;
}

pub async fn changes_wakes_a_reader_that_waits(subject: Subject<'_>) {
    let store = subject.open().await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    settle(&mut changes).await;
    // A task of its own: what wakes the writer does not wake the reader.
    let reader = tokio::spawn(async move {
        let begin = Instant::now();
        let told = timeout(2 * SOON, next(&mut changes)).await;
        told.is_ok() && begin.elapsed() < SOON + QUIET
    });
    tokio::time::sleep(QUIET / 3).await;
    create(&store, &key(1), b"one", None).await;
    let woken = reader.await.expect("the reader ends well");
    assert!(
        woken,
        "a reader that waited for a change was not woken by a save of {} in {SOON:?}",
        key(1).to_hex()
    );
}

/// More than may wait for one reader, and how long a store is given to write so many.
const UNBOUNDED: u32 = 20_000;
const WRITING: Duration = Duration::from_secs(5);

/// Writes as many records as it can; what each write left.
async fn write_many(store: &std::sync::Arc<dyn TokenStore>) -> HashMap<RecordKey, Version> {
    let begin = std::time::Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..10 {
        let store = store.clone();
        writers.spawn(async move {
            let mut written = Vec::new();
            for number in (0..UNBOUNDED).skip(writer).step_by(10) {
                if begin.elapsed() > WRITING {
                    break;
                }
                tokio::task::yield_now().await;
                written.push((key(number), create(&store, &key(number), b"", None).await));
            }
            written
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

/// Either each write is told, or there is a gap; and of very many there is one, or they have all waited.
pub async fn changes_keeps_a_bounded_number_for_a_slow_reader(subject: Subject<'_>) {
    // The same at both paces: nothing stands between.
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let Some(mut changes) = store.changes() else {
        return;
    };
    settle(&mut changes).await;
    let mut missing = write_many(&store).await;
    let written = missing.len();
    let told = async {
        while !missing.is_empty() {
            match next(&mut changes).await {
                Change::Gap => return true,
                Change::Key { key, version } if missing.get(&key).copied() == version => {
                    missing.remove(&key);
                }
                Change::Key { .. } => {}
            }
        }
        false
    };
    let gap = timeout(SOON, told).await;
    let left = missing.len();
    assert!(
        gap.is_ok(),
        "{left} of {written} writes were not told to a reader that slept, and no gap"
    );
    assert!(
        gap == Ok(true) || written < UNBOUNDED as usize,
        "{written} changes waited for a reader that slept, expected a gap: memory is not bounded"
    );
}
