//! Sign-in and sign-out: once, bound, final.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use rc_auth::{
    CallError, CallbackError, EndReason, GrantError, GrantKey, PendingAuthorization, SignInError,
    SignedOut,
};
use rc_sim::{Config, Fault, Replacement, Target};
use support::{CALLBACK, ME, World};

#[tokio::test(start_paused = true)]
async fn a_double_click_makes_one_token_request_and_one_grant() {
    let world = World::new();
    let sign_in = world.client.begin_sign_in().unwrap();
    let callback = world.browse(&sign_in.url);
    let (first, second) = tokio::join!(
        world
            .client
            .finish_sign_in(sign_in.pending.clone(), callback.query()),
        world
            .client
            .finish_sign_in(sign_in.pending.clone(), callback.query()),
    );
    assert_eq!(first.unwrap().key(), second.unwrap().key());
    // Later, and in another process too.
    let other = world.another_process(|builder| builder);
    other
        .finish_sign_in(sign_in.pending, callback.query())
        .await
        .unwrap();
    assert_eq!(world.counters().token_code.received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_replay_after_sign_out_brings_nothing_back() {
    let world = World::new();
    let sign_in = world.client.begin_sign_in().unwrap();
    let callback = world.browse(&sign_in.url);
    let grant = world
        .client
        .finish_sign_in(sign_in.pending.clone(), callback.query())
        .await
        .unwrap();
    assert_eq!(grant.sign_out().await.unwrap(), SignedOut::Revoked);
    let replay = world
        .client
        .finish_sign_in(sign_in.pending, callback.query())
        .await;
    assert!(
        matches!(replay, Err(SignInError::AlreadyUsed)),
        "{replay:?}"
    );
    assert_eq!(world.counters().token_code.received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_fails_a_check_makes_no_token_request_and_loses_nothing() {
    let world = World::new();
    let sign_in = world.client.begin_sign_in().unwrap();
    let callback = world.browse(&sign_in.url);
    for query in [
        "",
        "code=x",
        "state=wrong&code=x",
        "state=a&state=b",
        "error=access_denied",
    ] {
        let result = world
            .client
            .finish_sign_in(sign_in.pending.clone(), query)
            .await;
        assert!(
            matches!(result, Err(SignInError::Callback(_))),
            "{query}: {result:?}"
        );
    }
    assert_eq!(world.counters().token_code.received, 0);
    world
        .client
        .finish_sign_in(sign_in.pending, callback.query())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_takes_too_long_is_refused() {
    let world = World::new();
    let sign_in = world.client.begin_sign_in().unwrap();
    let callback = world.browse(&sign_in.url);
    world.pass(PendingAuthorization::LIFETIME).await;
    let result = world
        .client
        .finish_sign_in(sign_in.pending, callback.query())
        .await;
    assert!(
        matches!(result, Err(SignInError::Callback(CallbackError::Expired))),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_goes_away_during_the_exchange_loses_nothing() {
    let world = World::new();
    let sign_in = world.client.begin_sign_in().unwrap();
    let callback = world.browse(&sign_in.url);
    world.fault(Target::Token, Fault::Delay(Duration::from_secs(3)), 1);
    let key = GrantKey::new("user-1");
    let finish = world
        .client
        .finish_sign_in_as(key.clone(), sign_in.pending, callback.query());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), finish)
            .await
            .is_err()
    );
    world.pass(Duration::from_secs(5)).await;
    world.client.grant(&key).get(ME).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_code_exchange_is_asked_for_once_more() {
    let world = World::new();
    world.fault(Target::Token, Fault::DropBefore, 1);
    world.sign_in().await;
    assert_eq!(world.counters().token_code.received, 2);
}

/// The code is spent, and its tokens are out of reach: asking again would only be refused.
#[tokio::test(start_paused = true)]
async fn an_answer_to_a_code_exchange_that_cannot_be_read_is_not_asked_for_again() {
    let world = World::new();
    let page = Replacement::new(StatusCode::OK, Bytes::from_static(b"<html>"));
    world.fault(Target::Token, Fault::Replace(page), 1);
    world.try_sign_in(&world.client).await.unwrap_err();
    assert_eq!(world.counters().token_code.received, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_access_token_signs_nobody_in() {
    let world = World::new();
    let body = br#"{"token_type":"bearer","refresh_token":"example-refresh","expires_in":3600}"#;
    let answer = Replacement::new(StatusCode::OK, Bytes::from_static(body));
    world.fault(Target::Token, Fault::Replace(answer), 1);
    let error = world.try_sign_in(&world.client).await.unwrap_err();
    assert!(matches!(error, SignInError::Unavailable { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_second_sign_in_under_the_same_key_revokes_the_first_chain() {
    let world = World::new();
    let key = GrantKey::new("user-1");
    for _ in 0..2 {
        let sign_in = world.client.begin_sign_in().unwrap();
        let callback = world.browse(&sign_in.url);
        world
            .client
            .finish_sign_in_as(key.clone(), sign_in.pending, callback.query())
            .await
            .unwrap();
    }
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.counters().live_sessions, 1);
    world.client.grant(&key).get(ME).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sign_out_is_final_even_while_a_refresh_is_in_the_air() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.pass(Duration::from_secs(2 * 3600)).await;
    world.fault(Target::Token, Fault::Delay(Duration::from_secs(3)), 1);
    let refresh = tokio::spawn({
        let grant = grant.clone();
        async move { grant.get(ME).await }
    });
    world.pass(Duration::from_secs(1)).await;
    grant.sign_out().await.unwrap();
    let error = refresh.await.unwrap().unwrap_err();
    let CallError::Grant(GrantError::SignInAgain { reason }) = error else {
        panic!("{error}")
    };
    assert_eq!(reason, EndReason::SignedOut);
    world.pass(Duration::from_secs(60)).await;
    assert!(matches!(
        grant.get(ME).await,
        Err(CallError::Grant(GrantError::SignInAgain { .. }))
    ));
    assert_eq!(
        world.counters().live_sessions,
        0,
        "the pair that came late is revoked too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_revocation_never_keeps_a_user_signed_in() {
    let world = World::new();
    let grant = world.sign_in().await;
    world.fault(Target::Revoke, Fault::DropBefore, 2);
    assert_eq!(
        grant.sign_out().await.unwrap(),
        SignedOut::RevocationPending
    );
    assert!(matches!(
        grant.get(ME).await,
        Err(CallError::Grant(GrantError::SignInAgain { .. }))
    ));
    // The sweeper of any process goes on with it.
    let other = world.another_process(|builder| builder);
    tokio::spawn(async move { other.keep_alive().await });
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.counters().live_sessions, 0);
    assert_eq!(grant.sign_out().await.unwrap(), SignedOut::AlreadyOver);
}

#[tokio::test(start_paused = true)]
async fn without_a_refresh_token_a_sign_in_lasts_until_expiry() {
    let mut config = Config::demo(7, CALLBACK);
    for app in &mut config.apps {
        app.issue_refresh_tokens = false;
    }
    let world = World::with(config, |builder| builder);
    let grant = world.sign_in().await;
    grant.get(ME).await.unwrap();
    assert!(!grant.status().await.unwrap().refreshable);
    assert!(matches!(
        grant.refresh().await,
        Err(GrantError::NotRefreshable)
    ));
    grant.get(ME).await.unwrap();
    world.pass(Duration::from_secs(3600)).await;
    let error = grant.get(ME).await.unwrap_err();
    let CallError::Grant(GrantError::SignInAgain { reason }) = error else {
        panic!("{error}")
    };
    assert_eq!(reason, EndReason::NotRefreshable);
    assert_eq!(world.counters().token_refresh.received, 0);
}

/// Thousands of grants, or months: `cargo xtask mutants` leaves these out.
mod at_scale {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_idle_grant_is_kept_alive_for_months() {
        let world = World::new();
        let grant = world.sign_in().await;
        let client = world.client.clone();
        tokio::spawn(async move { client.keep_alive().await });
        world.pass(Duration::from_secs(60 * 24 * 3600)).await;
        grant.get(ME).await.unwrap();
        let refreshes = world.counters().token_refresh.received;
        assert!(
            (8..=14).contains(&refreshes),
            "{refreshes} refreshes in 60 days"
        );
    }
}
