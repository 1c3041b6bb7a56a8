//! What readers of the changes get, poll by poll.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::{MemoryStore, readers::BACKLOG};
use crate::{Change, ChangeStream, Expect, RecordKey, StoreError, TokenStore, Version};

fn key(number: usize) -> RecordKey {
    RecordKey::derive(&[&number.to_be_bytes()])
}

async fn write(store: &MemoryStore, number: usize, expect: Expect) -> Result<Version, StoreError> {
    store.save(&key(number), b"payload", None, expect).await
}

async fn create(store: &MemoryStore, number: usize) -> Version {
    write(store, number, Expect::Absent).await.expect("saved")
}

fn poll(changes: &mut ChangeStream) -> Poll<Option<Change>> {
    let mut context = Context::from_waker(Waker::noop());
    changes.as_mut().poll_next(&mut context)
}

fn named(number: usize, version: Option<Version>) -> Poll<Option<Change>> {
    let key = key(number);
    Poll::Ready(Some(Change::Key { key, version }))
}

#[tokio::test]
async fn every_reader_is_told_of_writes_and_deletions_in_their_order() {
    let store = MemoryStore::new();
    create(&store, 0).await;
    let mut readers = [store.changes(), store.changes()].map(|changes| changes.expect("changes"));
    let one = create(&store, 1).await;
    let two = create(&store, 2).await;
    assert!(write(&store, 3, Expect::Version(one)).await.is_err());
    for changes in &mut readers {
        assert_eq!(poll(changes), named(1, Some(one)));
        assert_eq!(poll(changes), named(2, Some(two)));
        assert_eq!(poll(changes), Poll::Pending);
    }
    store.delete(&key(2), two).await.expect("deleted");
    for changes in &mut readers {
        assert_eq!(poll(changes), named(2, None));
        assert_eq!(poll(changes), Poll::Pending);
    }
}

#[tokio::test]
async fn writes_of_one_record_wait_as_the_latest() {
    let store = MemoryStore::new();
    let mut changes = store.changes().expect("changes");
    let mut version = create(&store, 1).await;
    let other = create(&store, 2).await;
    for _ in 0..3 * BACKLOG {
        let saved = write(&store, 1, Expect::Version(version)).await;
        version = saved.expect("saved");
    }
    assert_eq!(poll(&mut changes), named(1, Some(version)));
    assert_eq!(poll(&mut changes), named(2, Some(other)));
    assert_eq!(poll(&mut changes), Poll::Pending);
}

#[tokio::test]
async fn a_reader_who_is_too_far_behind_gets_one_gap_and_then_names() {
    let store = MemoryStore::new();
    let mut changes = store.changes().expect("changes");
    for number in 0..BACKLOG {
        create(&store, number).await;
    }
    assert!(
        matches!(poll(&mut changes), Poll::Ready(Some(Change::Key { key: first, .. })) if first == key(0))
    );
    for number in BACKLOG..3 * BACKLOG {
        create(&store, number).await;
    }
    assert_eq!(poll(&mut changes), Poll::Ready(Some(Change::Gap)));
    assert_eq!(poll(&mut changes), Poll::Pending);
    let version = create(&store, 3 * BACKLOG).await;
    assert_eq!(poll(&mut changes), named(3 * BACKLOG, Some(version)));
}

#[tokio::test]
async fn a_stream_ends_after_its_last_change_when_the_store_is_dropped() {
    let store = MemoryStore::new();
    let mut changes = store.changes().expect("changes");
    let version = create(&store, 1).await;
    drop(store);
    assert_eq!(poll(&mut changes), named(1, Some(version)));
    assert_eq!(poll(&mut changes), Poll::Ready(None));
    assert_eq!(poll(&mut changes), Poll::Ready(None));
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_a_write_and_by_the_end() {
    let store = MemoryStore::new();
    let mut changes = store.changes().expect("changes");
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut poll = || changes.as_mut().poll_next(&mut Context::from_waker(&waker));
    assert_eq!(poll(), Poll::Pending);
    let version = create(&store, 1).await;
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(poll(), named(1, Some(version)));
    assert_eq!(poll(), Poll::Pending);
    drop(store);
    assert_eq!(woken.0.load(Ordering::SeqCst), 2);
    assert_eq!(poll(), Poll::Ready(None));
}
