//! Refreshing: once, saved first, and never the end of a sign-in without a reason.

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, StatusCode, header};
use rc_auth::{CallError, EndReason, GrantError};
use rc_sim::{Fault, Replacement, Target};
use support::{ME, World};
use tokio::task::JoinSet;

async fn call_in_parallel(world: &World, grant: &rc_auth::Grant, calls: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        let grant = grant.clone();
        tasks.spawn(async move { grant.get(ME).await });
    }
    while let Some(result) = tasks.join_next().await {
        let answer = result.expect("no panic").expect("an answer");
        assert_eq!(answer.status, StatusCode::OK);
    }
    let _ = world;
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_gives_a_grant_that_calls_the_api() {
    let world = World::new();
    let grant = world.sign_in().await;
    let me: serde_json::Value = grant.get(ME).await.unwrap().json().unwrap();
    assert!(me["id"].is_u64(), "{me}");
    let status = grant.status().await.unwrap();
    assert_eq!(status.generation.get(), 1);
    assert!(status.refreshable);
    assert_eq!(world.counters().token_code.issued, 1);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_on_an_expired_token_make_one_refresh() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.pass(Duration::from_secs(2 * 3600)).await;
    call_in_parallel(&world, &grant, 200).await;
    assert_eq!(world.counters().token_refresh.received, 1);
    assert_eq!(world.counters().api.unauthorized, 0);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_that_get_a_401_make_one_refresh() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.expire_access_tokens();
    call_in_parallel(&world, &grant, 200).await;
    assert_eq!(world.counters().token_refresh.received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_in_the_background_before_it_ends() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.pass(Duration::from_secs(3600 - 60)).await;
    grant.get(ME).await.unwrap();
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.counters().token_refresh.received, 1);
    assert_eq!(grant.status().await.unwrap().generation.get(), 2);
}

/// Of an idle grant nothing but the token is in memory. While the record is read again, it is used.
#[tokio::test(start_paused = true)]
async fn no_call_waits_for_the_record_of_a_grant_whose_token_lives() {
    let world = World::new();
    let grant = world.sign_in().await;
    grant.access_token().await.unwrap();
    world.pass(Duration::from_secs(3600 - 60)).await;
    // The first one begins the refresh; nobody has read the record yet when the others come.
    for _ in 0..3 {
        let token = grant.access_token().now_or_never().expect("at once");
        assert!(token.is_ok(), "{token:?}");
    }
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.counters().token_refresh.received, 1);
}

#[tokio::test(start_paused = true)]
async fn no_trouble_of_the_platform_ends_a_sign_in() {
    let error = |status: u16, body: &'static str| {
        Fault::Replace(Replacement::new(
            StatusCode::from_u16(status).unwrap(),
            Bytes::from(body),
        ))
    };
    let retry_after = Replacement::new(StatusCode::TOO_MANY_REQUESTS, "")
        .header(header::RETRY_AFTER, HeaderValue::from_static("2"));
    let faults = [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncate(10),
        Fault::Delay(Duration::from_secs(3600)),
        Fault::Replace(retry_after),
        error(429, ""),
        error(500, ""),
        error(503, r#"{"error":"invalid_grant"}"#),
        error(200, "<html>sign in to the wifi</html>"),
        error(400, "<html>invalid_grant</html>"),
        error(401, r#"{"error":"invalid_client"}"#),
        error(
            403,
            r#"{"error":"invalid_client","errors":[{"errorCode":"OAU-167"}]}"#,
        ),
    ];
    for fault in faults {
        let world = World::new();
        let grant = world.sign_in().await;
        world.expire_access_tokens();
        let name = format!("{fault:?}");
        world.fault(Target::Token, fault, 3);
        let mut answered = false;
        for _ in 0..20 {
            match grant.get(ME).await {
                Ok(_) => {
                    answered = true;
                    break;
                }
                Err(CallError::Grant(GrantError::Unavailable { .. })) => {
                    world.pass(Duration::from_secs(60)).await;
                }
                Err(other) => panic!("{name}: {other}"),
            }
        }
        assert!(answered, "{name}");
        assert_eq!(world.counters().live_sessions, 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_costs_one_request_and_is_told_to_all() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.platform().end_all_sessions();
    for _ in 0..3 {
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let grant = grant.clone();
            tasks.spawn(async move { grant.get(ME).await });
        }
        while let Some(result) = tasks.join_next().await {
            let error = result.unwrap().unwrap_err();
            let CallError::Grant(GrantError::SignInAgain { reason }) = error else {
                panic!("{error}")
            };
            assert_eq!(reason, EndReason::TokenDead);
        }
        world.pass(Duration::from_secs(120)).await;
    }
    assert_eq!(world.counters().token_refresh.received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_stop_the_refresh() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.pass(Duration::from_secs(2 * 3600)).await;
    world.fault(Target::Token, Fault::Delay(Duration::from_secs(3)), 1);
    let call = tokio::time::timeout(Duration::from_secs(1), grant.get(ME));
    assert!(call.await.is_err(), "the caller left");
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(grant.status().await.unwrap().generation.get(), 2);
    assert_eq!(world.counters().token_refresh.received, 1);
}

#[tokio::test(start_paused = true)]
async fn processes_that_share_a_store_make_one_refresh() {
    let world = World::new();
    let grant = world.sign_in().await;
    let others: Vec<_> = (0..8)
        .map(|_| world.another_process(|builder| builder))
        .collect();
    world.pass(Duration::from_secs(2 * 3600)).await;
    world.fault(Target::Token, Fault::Delay(Duration::from_millis(200)), 1);
    let mut tasks = JoinSet::new();
    for client in &others {
        for _ in 0..20 {
            let grant = client.grant(grant.key());
            tasks.spawn(async move { grant.get(ME).await });
        }
    }
    while let Some(result) = tasks.join_next().await {
        let answer = result.expect("no panic").expect("an answer");
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(world.counters().token_refresh.received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_401_for_a_replaced_token_refreshes_nothing() {
    // Nobody tells `other` of the new pair.
    let world = World::silent();
    let grant = world.sign_in().await;
    let other = world.another_process(|builder| builder).grant(grant.key());
    other.get(ME).await.unwrap();
    grant.refresh().await.unwrap();
    // `other` still holds the old access token, which the platform no longer takes.
    other.get(ME).await.unwrap();
    assert_eq!(world.counters().token_refresh.received, 1);
    assert_eq!(world.counters().api.unauthorized, 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_sending_is_made_good_by_the_next_process() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.pass(Duration::from_secs(2 * 3600)).await;
    world.fault(Target::Token, Fault::Delay(Duration::from_secs(20)), 1);
    // A process whose answer never comes: dropped with its tasks once the request is out.
    let dying = world.another_process(|builder| builder);
    let left = dying.grant(grant.key());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), left.get(ME))
            .await
            .is_err()
    );
    let next = world.another_process(|builder| builder.call_timeout(Duration::from_secs(120)));
    next.grant(grant.key()).get(ME).await.unwrap();
    assert_eq!(world.counters().live_sessions, 1);
}
