use std::sync::Arc;

use crate::{
    Due, Expect, MAX_PAYLOAD, RecordKey, TokenStore, Version,
    conformance::{
        Subject,
        steps::{
            all_due, assert_loads, at, create, delete, delete_conflicts, due, key, present,
            replace, save_conflicts, sorted_keys,
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

pub async fn due_before_zero_is_no_special_limit(subject: Subject<'_>) {
    let store = subject.open().await;
    let expected = create_due(&store, &[-10, -1, 0, 1, 1_000]).await;
    for (limit, count) in [
        (-11, 0),
        (-10, 1),
        (-2, 1),
        (-1, 2),
        (0, 3),
        (1, 4),
        (999, 4),
    ] {
        let found = due(&store, None, at(limit), 50).await;
        assert_eq!(found, expected[..count], "due before {limit}");
    }
}

/// Before the first key and after the last one of a time.
pub async fn due_goes_on_after_the_lowest_and_the_highest_key(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut expected = create_due(&store, &[5, 5, 7, 7, i64::MAX, i64::MIN]).await;
    let mut high = [0; 32];
    high[0] = 0xff;
    let ends = [[0; 32], high, [0xff; 32]].map(RecordKey::new);
    for key in ends {
        create(&store, &key, b"payload", Some(at(5))).await;
        expected.push(Due { key, due: at(5) });
    }
    expected.sort_by_key(|due| (due.due, due.key));
    for time in [i64::MIN, 0, 5, 6, 7, i64::MAX] {
        for key in ends {
            let cursor = Due { key, due: at(time) }.cursor();
            let rest = expected.iter().filter(|due| due.cursor() > cursor).copied();
            let found = due(&store, Some(cursor), at(i64::MAX), 50).await;
            let end = key.to_hex();
            assert_eq!(
                found,
                rest.collect::<Vec<_>>(),
                "due after {time} and {end}"
            );
        }
    }
}

pub async fn due_pages_without_gaps_and_repeats(subject: Subject<'_>) {
    let store = subject.open().await;
    // Neither in the order of the keys nor against it.
    let times: Vec<i64> = (0..40).map(|number| number * 7 % 40 / 9).collect();
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

/// The record with this key alone is due, at 10.
async fn assert_still_due(store: &dyn TokenStore, key: RecordKey, after: &str) {
    let expected = [Due { key, due: at(10) }];
    let found = due(store, None, at(99), 50).await;
    assert_eq!(found, expected, "due after {after} of {}", key.to_hex());
}

pub async fn conflict_does_not_move_due(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), b"one", Some(at(10))).await;
    let other = Version::new([7; 16]);
    for expect in [Expect::Absent, Expect::Version(other)] {
        for due in [None, Some(at(5)), Some(at(10)), Some(at(500))] {
            save_conflicts(&store, &key(1), b"two", due, expect).await;
            assert_still_due(&store, key(1), "a conflicting save").await;
        }
    }
    delete_conflicts(&store, &key(1), other).await;
    assert_still_due(&store, key(1), "a conflicting delete").await;
    let other = Expect::Version(other);
    save_conflicts(&store, &key(2), b"two", Some(at(5)), other).await;
    assert_still_due(&store, key(1), "a conflicting save of another key").await;
}

pub async fn too_large_save_does_not_move_due(subject: Subject<'_>) {
    let store = subject.open().await;
    let version = create(&store, &key(1), b"one", Some(at(10))).await;
    let large = vec![0; MAX_PAYLOAD + 1];
    for expect in [Expect::Version(version), Expect::Absent] {
        for due in [None, Some(at(5)), Some(at(500))] {
            let refused = store.save(&key(1), &large, due, expect).await;
            assert!(
                refused.is_err(),
                "save of more than 64 KiB was answered with success"
            );
            assert_still_due(&store, key(1), "a save that is too large").await;
        }
    }
    assert_loads(&store, &key(1), b"one", (version, Some(at(10))), "then").await;
}

pub async fn replacing_with_the_same_due_keeps_it_listed(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut version = create(&store, &key(1), b"one", Some(at(10))).await;
    for _ in 0..3 {
        version = replace(&store, &key(1), b"again", Some(at(10)), version).await;
        assert_still_due(&store, key(1), "a save with the same due time").await;
    }
}

pub async fn due_after_a_cursor_past_its_limit_in_time_is_empty(subject: Subject<'_>) {
    let store = subject.open().await;
    let records = create_due(&store, &[10, 20, 30]).await;
    for last in &records {
        let before = at(last.due.unix_millis() - 5);
        assert_eq!(due(&store, Some(last.cursor()), before, 50).await, []);
    }
}

/// A store may answer fewer than asked, but 100 or more.
pub async fn due_answers_a_hundred_at_once(subject: Subject<'_>) {
    let store = subject.open().await;
    let expected = create_due(&store, &(0..130).rev().collect::<Vec<_>>()).await;
    assert_eq!(due(&store, None, at(999), 100).await, expected[..100]);
    let most = due(&store, None, at(999), 1_000).await;
    let found = most.len();
    assert!(
        found >= 100,
        "due with limit 1,000: expected 100 or more of 130, got {found}"
    );
    assert_eq!(most, expected[..found]);
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

/// Replaces these records again and again; their due times stay.
async fn replace_all(store: Arc<dyn TokenStore>, records: Vec<Due>, rounds: u32) {
    for _ in 0..rounds {
        for Due { key, due } in &records {
            let version = present(&store, key).await.version;
            replace(&store, key, b"again", Some(*due), version).await;
        }
    }
}

pub async fn due_lists_every_lasting_record_during_writes(subject: Subject<'_>) {
    let store = subject.open().await;
    let records = create_due(&store, &[3, 1, 2, 1, 3]).await;
    let writer = tokio::spawn(replace_all(store.clone(), records.clone(), 40));
    while !writer.is_finished() {
        let found = all_due(&store, at(9), 2).await;
        assert_eq!(found, records, "due while the records are replaced");
    }
    writer.await.expect("the writer ends well");
}
