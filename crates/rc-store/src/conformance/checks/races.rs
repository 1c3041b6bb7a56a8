use std::{
    slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    Expect, RecordKey, StoreError, TokenStore, Version,
    conformance::{
        Pace, Subject,
        steps::{
            assert_of_one_write, at, create, explained, key, load, number_writes, present, replace,
        },
    },
};

const TASKS: u32 = 16;

/// Whether a write that expected the same as others was the one that won.
fn won<T>(result: Result<T, StoreError>) -> bool {
    match result {
        Ok(_) => true,
        Err(StoreError::Conflict) => false,
        Err(error) => panic!("a racing write failed: {}", explained(&error)),
    }
}

/// Writes `payload` at once from many tasks, alternating between the handles; how many won.
async fn winners(handles: &[Arc<dyn TokenStore>], expect: Expect) -> usize {
    let mut tasks = JoinSet::new();
    for (number, store) in (0..TASKS).zip(handles.iter().cycle().cloned()) {
        tasks.spawn(async move {
            won(store
                .save(&key(1), &number.to_be_bytes(), None, expect)
                .await)
        });
    }
    tasks
        .join_all()
        .await
        .into_iter()
        .filter(|won| *won)
        .count()
}

/// Of many saves that expect the same, one wins.
pub(super) async fn assert_one_wins(handles: &[Arc<dyn TokenStore>], expect: Expect) {
    let (winners, key) = (winners(handles, expect).await, key(1).to_hex());
    assert_eq!(
        winners, 1,
        "{winners} of {TASKS} saves of {key} at once, all expecting {expect:?}, were answered with success"
    );
}

pub async fn one_of_many_creations_wins(subject: Subject<'_>) {
    let store = subject.open().await;
    assert_one_wins(slice::from_ref(&store), Expect::Absent).await;
    assert_eq!(present(&store, &key(1)).await.payload.len(), 4);
}

pub async fn one_of_many_replacements_wins(subject: Subject<'_>) {
    let store = subject.open().await;
    for _ in 0..5 {
        let version = match load(&store, &key(1)).await {
            Some(stored) => stored.version,
            None => create(&store, &key(1), b"zero", None).await,
        };
        assert_one_wins(slice::from_ref(&store), Expect::Version(version)).await;
    }
}

/// Of deletions and saves that expect the same version, at once from many tasks, one wins.
pub(super) async fn assert_one_of_deletions_and_replacements_wins(
    handles: &[Arc<dyn TokenStore>],
    key: RecordKey,
) {
    let version = create(&handles[0], &key, b"zero", None).await;
    let expect = Expect::Version(version);
    let mut tasks = JoinSet::new();
    // Each handle both deletes and replaces.
    for (number, store) in (0..TASKS).zip(handles.iter().cycle().cloned()) {
        let deletes = number / 2 % 2 == 0;
        tasks.spawn(async move {
            match deletes {
                true => won(store.delete(&key, version).await),
                false => won(store.save(&key, b"new", None, expect).await),
            }
        });
    }
    let won = tasks.join_all().await;
    let (winners, key) = (won.into_iter().filter(|won| *won).count(), key.to_hex());
    assert_eq!(
        winners, 1,
        "{winners} of {TASKS} deletes and saves of {key} at once were answered with success"
    );
}

pub async fn one_of_deletions_and_replacements_wins(subject: Subject<'_>) {
    let store = subject.open().await;
    for round in 0..5 {
        assert_one_of_deletions_and_replacements_wins(slice::from_ref(&store), key(round)).await;
    }
}

/// Adds one to the number in a record, `times` times, by compare-and-swap.
pub(super) async fn increment(store: Arc<dyn TokenStore>, times: u32) {
    for _ in 0..times {
        loop {
            let stored = present(&store, &key(1)).await;
            let number = u64::from_be_bytes(stored.payload[..].try_into().expect("8 bytes"));
            let next = (number + 1).to_be_bytes();
            tokio::task::yield_now().await;
            if won(store
                .save(&key(1), &next, None, Expect::Version(stored.version))
                .await)
            {
                break;
            }
        }
    }
}

pub(super) async fn assert_increments_add_up(handles: &[Arc<dyn TokenStore>]) {
    create(&handles[0], &key(1), &0_u64.to_be_bytes(), None).await;
    let mut tasks = JoinSet::new();
    for store in handles.iter().cycle().take(4) {
        tasks.spawn(increment(store.clone(), 10));
    }
    tasks.join_all().await;
    assert_eq!(
        *present(&handles[0], &key(1)).await.payload,
        40_u64.to_be_bytes(),
        "load of {} after 40 increments by compare-and-swap",
        key(1).to_hex()
    );
}

pub async fn increments_are_never_lost(subject: Subject<'_>) {
    assert_increments_add_up(&[subject.open().await]).await;
}

/// A record whose payload, length and due time all say the same number.
async fn write_numbers(store: Arc<dyn TokenStore>, mut version: Version) {
    for number in 1..=60_u8 {
        let payload = vec![number; usize::from(number) * 500];
        version = replace(&store, &key(1), &payload, Some(at(number.into())), version).await;
    }
}

pub async fn loads_during_writes_are_never_torn(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), &[], Some(at(0))).await;
    let writer = tokio::spawn(write_numbers(store.clone(), version));
    loop {
        let ended = writer.is_finished();
        let stored = present(&store, &key(1)).await;
        let number = stored.payload.first().copied().unwrap_or(0);
        let whole = stored.payload.len() == usize::from(number) * 500
            && stored.payload.iter().all(|byte| *byte == number)
            && stored.due == Some(at(number.into()));
        assert!(
            whole,
            "payload and due time are of different writes: {stored:?}"
        );
        if ended {
            assert_eq!(number, 60);
            break;
        }
    }
    writer.await.expect("the writer ends well");
}

pub async fn answered_write_is_seen_by_every_later_load(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut version = create(&store, &key(1), &0_u64.to_be_bytes(), None).await;
    let answered = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let (store, answered) = (store.clone(), answered.clone());
        readers.spawn(async move {
            while answered.load(Ordering::SeqCst) < 60 {
                // The writer may have failed: then this task ends here.
                tokio::task::yield_now().await;
                let least = answered.load(Ordering::SeqCst);
                let stored = present(&store, &key(1)).await;
                let seen = u64::from_be_bytes(stored.payload[..].try_into().expect("8 bytes"));
                assert!(seen >= least, "read {seen} after {least} was answered");
            }
        });
    }
    for number in 1..=60_u64 {
        version = replace(&store, &key(1), &number.to_be_bytes(), None, version).await;
        answered.store(number, Ordering::SeqCst);
    }
    readers.join_all().await;
}

pub async fn writes_of_different_keys_do_not_conflict(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut version = create(&store, &key(number), b"0", None).await;
            for _ in 0..5 {
                version = replace(&store, &key(number), b"1", None, version).await;
            }
        });
    }
    tasks.join_all().await;
}

pub async fn load_during_writes_is_of_one_write(subject: Subject<'_>) {
    let store = subject.open().await;
    let writer = tokio::spawn(number_writes(store.clone(), key(1), 100));
    let mut seen = Vec::new();
    while !writer.is_finished() {
        tokio::task::yield_now().await;
        seen.extend(load(&store, &key(1)).await);
    }
    let writes = writer.await.expect("the writer ends well");
    assert_of_one_write("load", &writes, seen);
}

/// How often two threads begin a save at the same moment, and for how long at most.
const MEETINGS: u64 = 2_000;
const MEETING_TIME: Duration = Duration::from_secs(2);

/// Waits for the other task without giving the thread away, as long as that makes sense.
async fn meet(arrived: &AtomicU64, everybody: u64) {
    arrived.fetch_add(1, Ordering::SeqCst);
    let mut spins = 0_u32;
    while arrived.load(Ordering::SeqCst) < everybody {
        spins += 1;
        if spins.is_multiple_of(5_000) {
            tokio::task::yield_now().await;
        }
        std::hint::spin_loop();
    }
}

/// Saves the same record as another task does, each time at the same moment; the rounds it won.
async fn race(store: Arc<dyn TokenStore>, arrived: Arc<AtomicU64>, rounds: u64) -> Vec<u64> {
    let payload = vec![7; 16_000];
    let mut won_rounds = Vec::new();
    for round in 0..rounds {
        let seen = load(&*store, &key(1)).await;
        let expect = seen.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
        meet(&arrived, 4 * round + 2).await;
        if won(store.save(&key(1), &payload, None, expect).await) {
            won_rounds.push(round);
        }
        meet(&arrived, 4 * round + 4).await;
    }
    won_rounds
}

/// The check for a comparison and a write that are two steps with nothing to wait for between them.
pub async fn one_of_two_writes_at_the_same_moment_wins(subject: Subject<'_>) {
    // The same at both paces: nothing stands between.
    if subject.pace == Pace::Slow {
        return;
    }
    let store = subject.open_bare().await;
    let begin = Instant::now();
    let mut rounds = 0;
    while rounds < MEETINGS && begin.elapsed() < MEETING_TIME {
        let arrived = Arc::new(AtomicU64::new(0));
        let one = tokio::spawn(race(store.clone(), arrived.clone(), 50));
        let two = tokio::spawn(race(store.clone(), arrived, 50));
        let (one, two) = (one.await.expect("no panic"), two.await.expect("no panic"));
        let winners = one.len() + two.len();
        assert_eq!(
            winners,
            50,
            "{winners} saves of {} were answered with success in 50 rounds of two at one moment",
            key(1).to_hex()
        );
        rounds += 50;
    }
}
