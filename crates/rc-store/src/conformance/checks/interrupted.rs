use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use crate::{
    Expect, StoreError, TokenStore, Version,
    conformance::{
        Subject,
        steps::{all_due, assert_loads, at, create, delete, explained, key, load, present},
    },
};

/// Calls dropped after so many polls. A store that answers at once is only ever dropped before its
/// first poll.
const POLLS: std::ops::Range<u32> = 0..24;

/// Polls a call up to `polls` times and then drops it; its answer, if it came before.
async fn interrupted<T>(call: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

pub async fn dropped_creation_is_whole_or_absent(subject: Subject<'_>) {
    let store = subject.open().await;
    for polls in POLLS {
        let (key, payload) = (key(polls), vec![polls as u8; 3_000]);
        let save = store.save(&key, &payload, Some(at(7)), Expect::Absent);
        let answer = interrupted(save, polls).await;
        // If it was not there yet it may come a moment later, but then only one of the two can win.
        let again = store
            .save(&key, &payload, Some(at(7)), Expect::Absent)
            .await;
        match (answer, &again) {
            (None, Ok(_) | Err(StoreError::Conflict)) => {}
            (Some(Ok(_)), Err(StoreError::Conflict)) => {}
            (answer, again) => panic!("after {polls} polls: {answer:?}, then {again:?}"),
        }
        let stored = present(&*store, &key).await;
        assert!(
            *stored.payload == payload && stored.due == Some(at(7)),
            "torn: {stored:?}"
        );
    }
}

pub async fn dropped_replacement_is_whole_or_absent(subject: Subject<'_>) {
    let store = subject.open().await;
    for polls in POLLS {
        let key = key(polls);
        let first = create(&store, &key, b"old", Some(at(1))).await;
        let expect = Expect::Version(first);
        interrupted(store.save(&key, &[9; 3_000], Some(at(2)), expect), polls).await;
        let stored = present(&store, &key).await;
        let old = *stored.payload == b"old" && stored.due == Some(at(1)) && stored.version == first;
        let new = *stored.payload == [9; 3_000] && stored.due == Some(at(2));
        assert!(
            old || new && stored.version != first,
            "torn after {polls} polls: {stored:?}"
        );
        assert_another_write_settles_it(&*store, polls, first).await;
    }
}

/// Whoever writes now knows in the end what is there.
async fn assert_another_write_settles_it(store: &dyn TokenStore, number: u32, first: Version) {
    let key = key(number);
    match store
        .save(&key, b"settled", None, Expect::Version(first))
        .await
    {
        Ok(_) => assert_eq!(*present(store, &key).await.payload, b"settled"),
        Err(StoreError::Conflict) => {
            let stored = present(store, &key).await;
            assert_eq!(*stored.payload, [9; 3_000], "a conflict with nobody");
        }
        Err(error) => panic!("after a dropped call: {}", explained(&error)),
    }
}

pub async fn dropped_deletion_is_whole_or_absent(subject: Subject<'_>) {
    let store = subject.open().await;
    for polls in POLLS {
        let key = key(polls);
        let version = create(&store, &key, b"old", Some(at(1))).await;
        interrupted(store.delete(&key, version), polls).await;
        match store.delete(&key, version).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => panic!("after a dropped call: {}", explained(&error)),
        }
        assert!(load(&store, &key).await.is_none());
        let due = store.due(None, at(1), 10).await.expect("due works");
        assert!(due.is_empty(), "a deleted record is due: {due:?}");
    }
}

/// Long enough for a write that somebody makes up for later.
const LATER: Duration = Duration::from_millis(200);

pub async fn dropped_write_does_not_land_after_another_has_won(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut settled = Vec::new();
    for polls in POLLS {
        let key = key(polls);
        let first = create(&store, &key, b"old", Some(at(1))).await;
        let expect = Expect::Version(first);
        interrupted(store.save(&key, b"dropped", Some(at(2)), expect), polls).await;
        let won = store.save(&key, b"settled", Some(at(3)), expect).await;
        if let Ok(version) = won {
            settled.push((key, version));
        }
    }
    tokio::time::sleep(LATER).await;
    for (key, version) in settled {
        let state = (version, Some(at(3)));
        assert_loads(
            &store,
            &key,
            b"settled",
            state,
            "later, after a dropped save has lost",
        )
        .await;
    }
}

pub async fn dropped_replacement_changes_record_and_due_together(subject: Subject<'_>) {
    let store = subject.open().await;
    for polls in POLLS {
        let key = key(polls);
        let first = create(&store, &key, b"old", Some(at(1))).await;
        let expect = Expect::Version(first);
        interrupted(store.save(&key, b"new", Some(at(2)), expect), polls).await;
    }
    tokio::time::sleep(LATER).await;
    let listed = all_due(&store, at(9), 50).await;
    for key in POLLS.map(key) {
        let stored = present(&store, &key).await;
        let due: Vec<_> = listed.iter().filter(|due| due.key == key).collect();
        let due: Vec<_> = due.iter().map(|due| Some(due.due)).collect();
        assert_eq!(
            due,
            [stored.due],
            "due of {} after a dropped save, and what is loaded",
            key.to_hex()
        );
    }
}

pub async fn dropped_creation_and_deletion_change_record_and_due_together(subject: Subject<'_>) {
    let store = subject.open().await;
    for polls in POLLS {
        let (made, gone) = (key(polls), key(1_000 + polls));
        let save = store.save(&made, b"new", Some(at(2)), Expect::Absent);
        interrupted(save, polls).await;
        let version = create(&store, &gone, b"old", Some(at(1))).await;
        interrupted(store.delete(&gone, version), polls).await;
    }
    tokio::time::sleep(LATER).await;
    let listed = all_due(&store, at(9), 50).await;
    for key in POLLS.chain(POLLS.map(|polls| 1_000 + polls)).map(key) {
        let stored = load(&store, &key).await;
        let due = listed.iter().find(|due| due.key == key);
        assert_eq!(
            due.map(|due| due.due),
            stored.and_then(|stored| stored.due),
            "due of {} after a dropped creation or deletion, and what is loaded",
            key.to_hex()
        );
    }
}

pub async fn dropped_deletion_does_not_land_after_another_has_won(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut settled = Vec::new();
    for polls in POLLS {
        let key = key(polls);
        let first = create(&store, &key, b"old", Some(at(1))).await;
        interrupted(store.delete(&key, first), polls).await;
        let expect = Expect::Version(first);
        let mut won = store.save(&key, b"settled", Some(at(3)), expect).await;
        if won.is_err() {
            // It has landed: then it must not do so twice.
            won = store
                .save(&key, b"settled", Some(at(3)), Expect::Absent)
                .await;
        }
        settled.extend(won.ok().map(|version| (key, version)));
    }
    tokio::time::sleep(LATER).await;
    for (key, version) in settled {
        let state = (version, Some(at(3)));
        let when = "later, after a dropped delete has lost or landed";
        assert_loads(&store, &key, b"settled", state, when).await;
    }
}

/// More calls of each kind than a pool has connections.
async fn drop_calls(store: Arc<dyn TokenStore>) {
    for polls in (1..=6).cycle().take(30) {
        interrupted(store.load(&key(1)), polls).await;
        interrupted(store.save(&key(2), b"x", None, Expect::Absent), polls).await;
        interrupted(store.delete(&key(3), Version::new([7; 16])), polls).await;
        interrupted(store.due(None, at(1), 10), polls).await;
        interrupted(store.scan(None, 10), polls).await;
        interrupted(store.versions(&[key(1), key(2)]), polls).await;
        interrupted(store.health(), polls).await;
    }
}

pub async fn dropped_calls_do_not_use_the_store_up(subject: Subject<'_>) {
    let store = subject.open().await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        callers.spawn(drop_calls(store.clone()));
    }
    callers.join_all().await;
    let version = create(&store, &key(1), b"one", None).await;
    assert_eq!(present(&store, &key(1)).await.version, version);
    delete(&store, &key(1), version).await;
    super::health::assert_healthy(&store, "after dropped calls").await;
}
