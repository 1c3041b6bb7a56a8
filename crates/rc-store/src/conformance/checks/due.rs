use crate::{
    Due, Expect, RecordKey, TokenStore,
    conformance::{
        Subject,
        steps::{
            all_due, assert_conflict, at, create, delete, due, key, present, replace, sorted_keys,
        },
    },
};

/// Records in the order of their keys, due at these times; what `due` has to answer in the end.
async fn create_due(store: &dyn TokenStore, times: &[i64]) -> Vec<Due> {
    let keys = sorted_keys(u32::try_from(times.len()).expect("a few"));
    let mut expected = Vec::new();
    for (key, time) in keys.into_iter().zip(times) {
        create(store, &key, b"payload", Some(at(*time))).await;
        expected.push(Due {
            key,
            due: at(*time),
        });
    }
    expected.sort_by_key(|due| (due.due, due.key));
    expected
}

pub async fn due_is_ordered_by_time_and_then_key(subject: Subject<'_>) {
    let store = subject.open().await;
    let expected = create_due(&store, &[30, 10, 20, 10, 30, 10, 9, 100]).await;
    assert_eq!(due(&store, None, at(1_000), 50).await, expected);
}

pub async fn due_includes_its_limit_in_time_and_nothing_later(subject: Subject<'_>) {
    let store = subject.open().await;
    let expected = create_due(&store, &[10, 20, 21]).await;
    assert_eq!(due(&store, None, at(9), 50).await, []);
    assert_eq!(due(&store, None, at(20), 50).await, expected[..2]);
    assert_eq!(due(&store, None, at(21), 50).await, expected);
}

pub async fn due_pages_without_gaps_and_repeats(subject: Subject<'_>) {
    let store = subject.open().await;
    let times: Vec<i64> = (0..40).map(|number| number / 9).collect();
    let expected = create_due(&store, &times).await;
    for page in [1, 7, 50] {
        assert_eq!(
            all_due(&store, at(100), page).await,
            expected,
            "pages of {page}"
        );
    }
    assert_eq!(all_due(&store, at(2), 4).await, expected[..27]);
}

pub async fn due_keeps_the_limit(subject: Subject<'_>) {
    let store = subject.open().await;
    let expected = create_due(&store, &[1, 2, 3]).await;
    assert_eq!(due(&store, None, at(9), 0).await, []);
    assert_eq!(due(&store, None, at(9), 2).await, expected[..2]);
    assert_eq!(due(&store, None, at(9), usize::MAX).await, expected);
}

pub async fn due_goes_on_after_a_cursor_that_is_gone(subject: Subject<'_>) {
    let store = subject.open().await;
    let expected = create_due(&store, &[5, 5, 7]).await;
    let cursor = expected[0].cursor();
    let version = store
        .load(&cursor.key)
        .await
        .expect("load works")
        .expect("a record")
        .version;
    delete(&store, &cursor.key, version).await;
    assert_eq!(due(&store, Some(cursor), at(9), 50).await, expected[1..]);
}

pub async fn record_without_due_is_never_due(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"one", None).await;
    assert_eq!(due(&store, None, at(i64::MAX), 50).await, []);
}

pub async fn replacing_moves_due(subject: Subject<'_>) {
    let store = subject.open().await;
    let listed = |time| {
        vec![Due {
            key: key(1),
            due: at(time),
        }]
    };
    let version = create(&store, &key(1), b"one", Some(at(10))).await;
    let version = replace(&store, &key(1), b"one", Some(at(30)), version).await;
    assert_eq!(due(&store, None, at(29), 50).await, []);
    assert_eq!(due(&store, None, at(99), 50).await, listed(30));
    let version = replace(&store, &key(1), b"one", None, version).await;
    assert_eq!(due(&store, None, at(99), 50).await, []);
    replace(&store, &key(1), b"one", Some(at(20)), version).await;
    assert_eq!(due(&store, None, at(99), 50).await, listed(20));
}

pub async fn conflict_does_not_move_due(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"one", Some(at(10))).await;
    assert_conflict(
        store
            .save(&key(1), b"two", Some(at(5)), Expect::Absent)
            .await,
    );
    assert_eq!(
        due(&store, None, at(99), 50).await,
        [Due {
            key: key(1),
            due: at(10)
        }]
    );
}

pub async fn deleted_record_is_not_due(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), b"one", Some(at(10))).await;
    delete(&store, &key(1), version).await;
    assert_eq!(due(&store, None, at(99), 50).await, []);
    create(&store, &key(1), b"one", None).await;
    assert_eq!(due(&store, None, at(99), 50).await, []);
}

pub async fn due_keeps_every_millisecond(subject: Subject<'_>) {
    let store = subject.open().await;
    let (low, high) = (i64::MIN, i64::MAX);
    let beyond_doubles = (1 << 53) + 1;
    let times = [
        low,
        low + 1,
        -1,
        0,
        1,
        beyond_doubles,
        beyond_doubles + 1,
        high - 1,
        high,
    ];
    let expected = create_due(&store, &times).await;
    for Due { key, due } in &expected {
        assert_eq!(loaded_due(&store, key).await, *due);
    }
    assert_eq!(all_due(&store, at(high), 2).await, expected);
    assert_eq!(due(&store, None, at(low), 50).await, expected[..1]);
    let cursor = expected[5].cursor();
    assert_eq!(
        due(&store, Some(cursor), at(beyond_doubles + 1), 50).await,
        expected[6..7]
    );
}

/// A record that has to be seen first, whatever the clocks say, is given the earliest time there is.
pub async fn due_lists_times_before_every_clock_first(subject: Subject<'_>) {
    let store = subject.open().await;
    let (low, now) = (i64::MIN, 1_800_000_000_000);
    let expected = create_due(&store, &[now, low, 0, -now, low, -1, now - 1, 1]).await;
    assert_eq!(due(&store, None, at(now), 50).await, expected);
    for page in [1, 3] {
        assert_eq!(all_due(&store, at(now), page).await, expected, "by {page}");
    }
    assert_eq!(due(&store, None, at(now), 2).await, expected[..2]);
    assert_eq!(due(&store, None, at(-1), 50).await, expected[..4]);
    let after = Some(expected[0].cursor());
    assert_eq!(due(&store, after, at(low), 50).await, expected[1..2]);

    let last = &expected[7].key;
    let version = present(&store, last).await.version;
    replace(&store, last, b"urgent", Some(at(low)), version).await;
    let first = due(&store, None, at(now), 3).await;
    assert!(first.iter().all(|due| due.due == at(low)), "{first:?}");
}

async fn loaded_due(store: &dyn TokenStore, key: &RecordKey) -> crate::DueAt {
    let stored = store
        .load(key)
        .await
        .expect("load works")
        .expect("a record");
    stored.due.expect("a due time")
}
