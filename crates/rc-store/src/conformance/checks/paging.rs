//! `due` and `scan` page by page, while the records before the cursor change.

use crate::{
    Due, RecordKey, TokenStore,
    conformance::{
        Subject,
        steps::{
            all_due, all_of, at, create, delete, due, hard_keys, key, present, replace, scan,
            scan_all, sorted_keys,
        },
    },
};

/// Limits that another type of number cuts to less than the five records that are there.
const LARGE: [u64; 6] = [
    (1 << 16) + 1,
    1 << 31,
    1 << 32,
    (1 << 32) + 1,
    1 << 63,
    u64::MAX - 1,
];

fn large_limits() -> impl Iterator<Item = usize> {
    LARGE
        .into_iter()
        .filter_map(|limit| usize::try_from(limit).ok())
}

/// So many records in the order of their keys, all due at 10.
async fn create_all(store: &dyn TokenStore, count: u32) -> Vec<RecordKey> {
    let keys = sorted_keys(count);
    for key in &keys {
        create(store, key, b"payload", Some(at(10))).await;
    }
    keys
}

async fn delete_all(store: &dyn TokenStore, keys: &[RecordKey]) {
    for key in keys {
        let version = present(store, key).await.version;
        delete(store, key, version).await;
    }
}

fn due_at_10(keys: &[RecordKey]) -> Vec<Due> {
    let due = at(10);
    keys.iter().map(|key| Due { key: *key, due }).collect()
}

fn keys_of<T>(listed: &[(RecordKey, T)]) -> Vec<RecordKey> {
    listed.iter().map(|(key, _)| *key).collect()
}

pub async fn due_goes_on_where_it_was_when_records_before_it_go(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 12).await;
    let page = due(&store, None, at(99), 4).await;
    assert_eq!(page, due_at_10(&keys[..4]), "the first page of due");
    delete_all(&store, &keys[..3]).await;
    let page = due(&store, Some(page[3].cursor()), at(99), 4).await;
    let expected = due_at_10(&keys[4..8]);
    assert_eq!(page, expected, "due after 3 records before the cursor went");
    create(&store, &keys[0], b"again", Some(at(10))).await;
    let page = due(&store, Some(page[3].cursor()), at(99), 4).await;
    let expected = due_at_10(&keys[8..]);
    assert_eq!(page, expected, "due after one before the cursor came");
}

pub async fn scan_goes_on_where_it_was_when_records_before_it_go(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 12).await;
    let page = keys_of(&scan(&store, None, 4).await);
    assert_eq!(page, keys[..4], "the first page of scan");
    delete_all(&store, &keys[..3]).await;
    let page = keys_of(&scan(&store, Some(keys[3]), 4).await);
    let expected = &keys[4..8];
    assert_eq!(
        page, expected,
        "scan after 3 records before the cursor went"
    );
    create(&store, &keys[0], b"again", None).await;
    let page = keys_of(&scan(&store, Some(keys[7]), 4).await);
    assert_eq!(page, keys[8..], "scan after one before the cursor came");
}

/// What was deleted, or is due no more, takes no place on a page.
pub async fn due_pages_past_deleted_records(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 40).await;
    delete_all(&store, &keys[5..25]).await;
    for key in &keys[25..35] {
        let version = present(&store, key).await.version;
        replace(&store, key, b"payload", None, version).await;
    }
    let expected = due_at_10(&[&keys[..5], &keys[35..]].concat());
    for page in [1, 4, 7] {
        let found = all_due(&store, at(99), page).await;
        assert_eq!(
            found, expected,
            "due by {page}: 10 records left between others"
        );
    }
}

pub async fn scan_pages_past_deleted_records(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 40).await;
    delete_all(&store, &keys[..15]).await;
    delete_all(&store, &keys[20..35]).await;
    let expected = [&keys[15..20], &keys[35..]].concat();
    for page in [1, 4, 7] {
        let found = keys_of(&scan_all(&store, page).await);
        assert_eq!(
            found, expected,
            "scan by {page}: 10 records left between others"
        );
    }
}

/// A cursor is a place in the order, not a record: what is there now does not matter.
pub async fn due_goes_on_after_a_cursor_whose_record_moved(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 4).await;
    let cursor = due_at_10(&keys)[1].cursor();
    let version = present(&store, &keys[1]).await.version;
    let version = replace(&store, &keys[1], b"later", Some(at(20)), version).await;
    let mut expected = due_at_10(&keys[2..]);
    expected.push(Due {
        key: keys[1],
        due: at(20),
    });
    let found = due(&store, Some(cursor), at(99), 50).await;
    assert_eq!(found, expected, "due after a record that is later now");
    replace(&store, &keys[1], b"earlier", Some(at(5)), version).await;
    expected.pop();
    let found = due(&store, Some(cursor), at(99), 50).await;
    assert_eq!(found, expected, "due after a record that is earlier now");
}

pub async fn due_lists_keys_that_are_hard_to_tell_apart(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = hard_keys();
    // Against the order of the keys, so that the order in which they were made does not help.
    let backwards = keys.iter().rev();
    all_of(backwards.map(|key| create(&store, key, key.as_bytes(), Some(at(10))))).await;
    let expected = due_at_10(&keys);
    // By one record, from each to the next.
    let cursors = std::iter::once(None).chain(expected.iter().map(|due| Some(due.cursor())));
    let pages = all_of(cursors.map(|cursor| due(&store, cursor, at(10), 1))).await;
    assert_eq!(pages.concat(), expected, "due by 1: keys and their order");
    for page in [7, 100] {
        let found = all_due(&store, at(10), page).await;
        assert_eq!(found, expected, "due by {page}: keys and their order");
    }
}

pub async fn due_keeps_limits_beyond_32_bits(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 5).await;
    for limit in large_limits() {
        let found = due(&store, None, at(99), limit).await;
        assert_eq!(found, due_at_10(&keys), "due with limit {limit}");
    }
}

pub async fn scan_keeps_limits_beyond_32_bits(subject: Subject<'_>) {
    let store = subject.open().await;
    let keys = create_all(&store, 5).await;
    for limit in large_limits() {
        let found = keys_of(&scan(&store, None, limit).await);
        assert_eq!(found, keys, "scan with limit {limit}");
    }
    assert_eq!(keys_of(&scan(&store, Some(key(77)), usize::MAX).await), {
        let after = |candidate: &RecordKey| *candidate > key(77);
        keys.into_iter().filter(after).collect::<Vec<_>>()
    });
}
