//! Copying one store to another while the first is in use.

use rc_store::{
    DueAt, Expect, MemoryStore, RecordKey, TokenStore,
    copy::{CopyError, StoreCopy, is_unfinished},
};

const DUE: Option<DueAt> = Some(DueAt::from_unix_millis(7));

fn key(number: u32) -> RecordKey {
    RecordKey::derive(&[&number.to_be_bytes()])
}

async fn filled(count: u32) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..count {
        put(&store, number, b"payload").await;
    }
    store
}

async fn put(store: &MemoryStore, number: u32, payload: &[u8]) {
    let versions = store.versions(&[key(number)]).await.expect("versions");
    let expect = versions[0].map_or(Expect::Absent, Expect::Version);
    store
        .save(&key(number), payload, DUE, expect)
        .await
        .expect("saved");
}

async fn remove(store: &MemoryStore, number: u32) {
    let versions = store.versions(&[key(number)]).await.expect("versions");
    let version = versions[0].expect("a record");
    store.delete(&key(number), version).await.expect("deleted");
}

async fn contents(store: &MemoryStore) -> Vec<(RecordKey, Vec<u8>, Option<DueAt>)> {
    let listed = store.scan(None, usize::MAX).await.expect("lists");
    let records = listed.into_iter().map(|listed| {
        let stored = listed.stored.expect("readable");
        (listed.key, stored.payload.to_vec(), stored.due)
    });
    records.collect()
}

#[tokio::test]
async fn a_copy_has_every_record_and_nothing_else() {
    let (source, target) = (filled(250).await, MemoryStore::new());
    let copy = StoreCopy::begin(&source, &target).await.expect("begins");
    let pass = copy.pass(|_| {}).await.expect("copies");
    assert_eq!((pass.seen, pass.copied, pass.deleted), (250, 250, 0));
    assert!(
        copy.pass(|_| {})
            .await
            .expect("copies")
            .found_no_difference()
    );
    copy.finish().await.expect("finishes");
    assert_eq!(contents(&source).await, contents(&target).await);
}

#[tokio::test]
async fn what_changes_in_the_source_is_copied_by_the_next_pass() {
    let (source, target) = (filled(150).await, MemoryStore::new());
    let copy = StoreCopy::begin(&source, &target).await.expect("begins");
    copy.pass(|_| {}).await.expect("copies");
    put(&source, 3, b"newer").await;
    put(&source, 900, b"another").await;
    remove(&source, 5).await;
    // Interrupted, and begun again.
    let copy = StoreCopy::begin(&source, &target).await.expect("goes on");
    let pass = copy.pass(|_| {}).await.expect("copies");
    assert_eq!((pass.seen, pass.copied, pass.deleted), (150, 2, 1));
    copy.finish().await.expect("finishes");
    assert_eq!(contents(&source).await, contents(&target).await);
}

#[tokio::test]
async fn a_target_is_not_to_be_used_until_the_copy_is_finished() {
    let (source, target) = (filled(1).await, MemoryStore::new());
    let copy = StoreCopy::begin(&source, &target).await.expect("begins");
    copy.pass(|_| {}).await.expect("copies");
    assert!(is_unfinished(&target).await.expect("answers"));
    let third = MemoryStore::new();
    let back = StoreCopy::begin(&target, &third).await;
    assert!(matches!(back, Err(CopyError::SourceUnfinished)));
    copy.finish().await.expect("finishes");
    assert!(!is_unfinished(&target).await.expect("answers"));
}

#[tokio::test]
async fn a_store_that_is_in_use_is_no_target() {
    let (source, target) = (filled(2).await, filled(1).await);
    let refused = StoreCopy::begin(&source, &target).await;
    assert!(matches!(refused, Err(CopyError::TargetInUse)));
    assert_eq!(contents(&target).await.len(), 1);

    let target = MemoryStore::new();
    let copy = StoreCopy::begin(&source, &target).await.expect("begins");
    copy.pass(|_| {}).await.expect("copies");
    copy.finish().await.expect("finishes");
    let late = StoreCopy::begin(&source, &target).await;
    assert!(
        matches!(late, Err(CopyError::TargetInUse)),
        "a finished copy is in use"
    );
}

#[tokio::test]
async fn a_store_is_not_copied_to_itself_and_stays_usable() {
    let store = MemoryStore::new();
    let refused = StoreCopy::begin(&store, &store).await;
    assert!(matches!(refused, Err(CopyError::SameStore)), "{refused:?}");
    assert!(!is_unfinished(&store).await.expect("asked"));
    assert!(contents(&store).await.is_empty());
}

#[tokio::test]
async fn an_empty_source_does_not_empty_the_target_of_an_earlier_pass() {
    let (source, target) = (filled(3).await, MemoryStore::new());
    let copy = StoreCopy::begin(&source, &target).await.expect("begins");
    copy.pass(|_| {}).await.expect("copies");

    let wrong = MemoryStore::new();
    let refused = StoreCopy::begin(&wrong, &target).await;
    assert!(
        matches!(refused, Err(CopyError::SourceEmpty)),
        "{refused:?}"
    );
    StoreCopy::begin(&source, &target)
        .await
        .expect("goes on from the right one");
}

#[tokio::test]
async fn an_empty_store_can_be_copied_and_finished() {
    let (source, target) = (MemoryStore::new(), MemoryStore::new());
    for _ in 0..2 {
        let copy = StoreCopy::begin(&source, &target).await.expect("begins");
        copy.pass(|_| {}).await.expect("copies");
    }
    let copy = StoreCopy::begin(&source, &target).await.expect("goes on");
    copy.finish().await.expect("finishes");
    assert!(!is_unfinished(&target).await.expect("asked"));
}
