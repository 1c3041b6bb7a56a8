//! A server that repeats no answer and takes the re-use of a refresh token for theft.

mod support;

use std::time::Duration;

use rc_auth::{CallError, EndReason, GrantError};
use rc_sim::{Fault, Target};
use support::{ME, World};

#[tokio::test(start_paused = true)]
async fn refreshes_follow_each_other() {
    let world = World::strict();
    let grant = world.sign_in().await;
    for generation in 2..6 {
        assert_eq!(grant.refresh().await.unwrap().generation.get(), generation);
        grant.get(ME).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_lost_on_the_way_is_presented_once_more() {
    let world = World::strict();
    let grant = world.sign_in().await;
    world.expire_access_tokens();
    world.fault(Target::Token, Fault::DropBefore, 1);
    grant.get(ME).await.unwrap();
    assert_eq!(world.counters().token_refresh.received, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_ends_the_grant_as_indeterminate_after_one_more_try() {
    let world = World::strict();
    let grant = world.sign_in().await;
    world.expire_access_tokens();
    world.fault(Target::Token, Fault::DropAfter, 1);
    let error = grant.get(ME).await.unwrap_err();
    let CallError::Grant(GrantError::SignInAgain { reason }) = error else {
        panic!("{error}")
    };
    assert_eq!(reason, EndReason::Indeterminate);
    world.pass(Duration::from_secs(600)).await;
    assert!(grant.get(ME).await.is_err());
    assert_eq!(world.counters().token_refresh.received, 2);
}
