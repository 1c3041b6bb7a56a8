//! What a store does to the threads it runs on.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    time::{Duration, Instant},
};

use crate::{
    Expect, TokenStore, Version,
    conformance::{
        Subject,
        steps::{answered, at, create, key, present},
    },
};

/// One poll that takes longer blocks its thread.
const BLOCKS: Duration = Duration::from_millis(5);

/// A machine that is busy makes some polls long, but not all of so many.
const TRIES: u32 = 12;

/// The longest that one poll of this call takes.
async fn longest_poll(call: impl Future) -> Duration {
    let mut call = pin!(call);
    let mut longest = Duration::ZERO;
    poll_fn(|context| {
        let begin = Instant::now();
        let polled = call.as_mut().poll(context);
        longest = longest.max(begin.elapsed());
        polled
    })
    .await;
    longest
}

/// The longest poll of a call, the quickest of some tries.
async fn assert_does_not_block(name: &str, call: impl AsyncFn(u32)) {
    let mut quickest = Duration::MAX;
    for number in 0..TRIES {
        quickest = quickest.min(longest_poll(call(number)).await);
        if quickest < BLOCKS {
            return;
        }
    }
    panic!(
        "{name}: each of {TRIES} calls kept its thread for {quickest:?} or more, expected less than \
         {BLOCKS:?}; a blocking engine goes through `spawn_blocking`"
    );
}

pub async fn calls_do_not_block_their_thread(subject: Subject<'_>) {
    let store = subject.open_bare().await;
    let store: &dyn TokenStore = &store;
    create(store, &key(0), b"payload", Some(at(1))).await;
    assert_does_not_block("save", async |number| {
        create(store, &key(1 + number), b"payload", Some(at(1))).await;
    })
    .await;
    assert_does_not_block("load", async |_| {
        present(store, &key(0)).await;
    })
    .await;
    assert_does_not_block("a conflicting save", async |_| {
        let _conflict = store.save(&key(0), b"two", None, Expect::Absent).await;
    })
    .await;
    assert_does_not_block("delete", async |_| {
        let _conflict = store.delete(&key(0), Version::new([7; 16])).await;
    })
    .await;
    assert_does_not_block("due", async |_| {
        answered("due", store.due(None, at(9), 10).await);
    })
    .await;
    assert_does_not_block("scan", async |_| {
        answered("scan", store.scan(None, 10).await);
    })
    .await;
    assert_does_not_block("versions", async |_| {
        answered("versions", store.versions(&[key(0)]).await);
    })
    .await;
    assert_does_not_block("health", async |_| {
        answered("health", store.health().await);
    })
    .await;
}
