//! What a call with a fresh token allocates beside the same request made by hand. Alone in its program: the
//! allocator counts for all threads.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "../benches/call/stage.rs"]
mod stage;

use std::alloc::System;

use futures_util::FutureExt as _;
use stage::{PATH, Stage};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

#[tokio::test]
async fn a_call_allocates_a_new_address_and_nothing_for_one_that_it_knows() {
    let stage = Stage::new(0);
    let grant = stage.sign_in(0).await;
    let hand = stage.by_hand();
    // The first of each learns what the others know; the second is remembered.
    for _ in 0..2 {
        grant.get(PATH).send().await.unwrap();
        hand.call().await.unwrap();
    }
    let call =
        |path: &str| allocations(|| drop(grant.get(path).send().now_or_never().unwrap().unwrap()));
    let bare = allocations(|| drop(hand.call().now_or_never().unwrap().unwrap()));
    assert_eq!(call(PATH) - bare, 0, "{bare} by hand");
    // Of the same route, whose group is known.
    let other = PATH.replace('~', "1234");
    assert_eq!(call(&other) - bare, 1, "{bare} by hand");
    let token = allocations(|| drop(grant.access_token().now_or_never().unwrap().unwrap()));
    assert_eq!(token, 0);
}
