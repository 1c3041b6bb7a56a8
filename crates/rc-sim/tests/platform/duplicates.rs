//! A refresh that arrives while an earlier one with the same token is in the air.

use std::time::Duration;

use rc_sim::{ConcurrentDuplicates, Fault, Target};

use crate::stage::{Stage, pair, refusal, refused, secs};

fn busy(within: Duration) -> Stage {
    Stage::with(|switches| {
        switches.concurrent_duplicates = ConcurrentDuplicates::RefusedBusy { within };
    })
}

fn assert_busy(response: &http::Response<bytes::Bytes>) {
    assert_eq!(refusal(response), refused(429, "CMN-304", "CMN-304"));
    assert!(!response.headers().contains_key("retry-after"));
}

fn delay_the_next_answer(stage: &mut Stage, delay: Duration) {
    stage
        .platform
        .queue_fault(Target::Token, Fault::Delay(delay), 1);
}

#[test]
fn a_duplicate_is_carried_out_unless_switched() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    delay_the_next_answer(&mut stage, secs(20));
    let second = pair(&stage.refresh(&first.refresh));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);
}

#[test]
fn a_duplicate_of_a_refresh_in_the_air_is_busy_and_changes_nothing() {
    let mut stage = busy(Duration::ZERO);
    let first = stage.sign_in();
    delay_the_next_answer(&mut stage, secs(20));
    let second = pair(&stage.refresh(&first.refresh));

    stage.pass(secs(19));
    assert_busy(&stage.refresh(&first.refresh));
    stage.pass(secs(1));
    assert_eq!(
        pair(&stage.refresh(&first.refresh)),
        second,
        "the answer was sent, and the duplicate did not keep it in the air"
    );
    let counters = stage.platform.counters(stage.now).token_refresh;
    assert_eq!(
        (counters.received, counters.issued, counters.replayed),
        (3, 1, 1)
    );
    assert_eq!((counters.busy, counters.limited), (1, 0));
}

#[test]
fn without_a_delay_a_refresh_is_in_the_air_for_the_configured_time() {
    let mut stage = busy(Duration::from_millis(300));
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    stage.pass(Duration::from_millis(299));
    assert_busy(&stage.refresh(&first.refresh));
    stage.pass(Duration::from_millis(1));
    assert_eq!(pair(&stage.refresh(&first.refresh)), second);
    assert_busy(&stage.refresh(&first.refresh));
}

#[test]
fn a_longer_delay_counts_instead_of_the_configured_time() {
    let mut stage = busy(secs(1));
    let first = stage.sign_in();
    delay_the_next_answer(&mut stage, secs(5));
    pair(&stage.refresh(&first.refresh));
    stage.pass(secs(4));
    assert_busy(&stage.refresh(&first.refresh));
    stage.pass(secs(1));
    pair(&stage.refresh(&first.refresh));
}

#[test]
fn other_tokens_and_tokens_of_nobody_are_never_busy() {
    let mut stage = busy(secs(10));
    let (mine, other) = (stage.sign_in(), stage.sign_in());
    let next = pair(&stage.refresh(&mine.refresh));
    pair(&stage.refresh(&other.refresh));
    pair(&stage.refresh(&next.refresh));
    for _ in 0..2 {
        assert_eq!(
            refusal(&stage.refresh("unknown")),
            refused(400, "invalid_grant", "OAU-213")
        );
    }
}

#[test]
fn strict_a_duplicate_in_the_air_is_busy_and_no_theft() {
    let mut stage = Stage::with(|switches| {
        switches.refresh_replay = rc_sim::RefreshReplay::Strict;
        switches.concurrent_duplicates = ConcurrentDuplicates::RefusedBusy { within: secs(2) };
    });
    let first = stage.sign_in();
    let second = pair(&stage.refresh(&first.refresh));
    assert_busy(&stage.refresh(&first.refresh));
    assert_eq!(stage.call(&second.access).status(), 200);
    stage.pass(secs(2));
    assert_eq!(refusal(&stage.refresh(&first.refresh)).2, "OAU-213");
    assert_eq!(stage.live_sessions(), 0);
}
