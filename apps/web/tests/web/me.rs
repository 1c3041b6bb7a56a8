//! `/me`: asked from the platform each time, one refresh for everybody, no failed call.

use std::time::Duration;

use rc_sim::{Fault, Target};

use crate::stage::{Stage, send, until};

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_the_platforms_json_each_time() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let before = stage.counters().api.succeeded;
    for asked in 1..=2 {
        let answer = browser.get("/me").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let name = stage.platform().config().demo_user().unwrap().name();
        assert_eq!(answer.json()["name"], name);
        assert_eq!(stage.counters().api.succeeded, before + asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_in_json_that_nobody_is_signed_in() {
    let stage = Stage::start().await;
    let answer = stage.browser().get("/me").await;
    assert_eq!(answer.status, 401);
    let json = answer.json();
    assert_eq!(json["error"], "signed_out");
    assert!(json["message"].is_string() && json["what_to_do"].is_string());
    assert_eq!(json["request_id"].as_str(), answer.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_on_an_expired_token_cost_one_refresh_and_none_fails() {
    let stage = Stage::start().await;
    let browser = stage.signed_in().await;
    stage.expire_access_tokens();
    let calls = (0..200).map(|_| {
        let mut browser = browser.clone();
        tokio::spawn(async move { browser.get("/me").await.status })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(stage.counters().token_refresh.received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_hangs_up_during_a_refresh_loses_nothing() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    stage.expire_access_tokens();
    stage
        .platform()
        .queue_fault(Target::Token, Fault::Delay(Duration::from_millis(200)), 1);
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str())];
    let connection = send(stage.address(), "GET", "/me", &headers, "").await;
    until("the refresh", || {
        stage.counters().token_refresh.received == 1
    })
    .await;
    drop(connection);
    assert_eq!(browser.get("/me").await.status, 200);
    assert_eq!(stage.counters().token_refresh.received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_a_refresh_whose_browser_is_gone() {
    let stage = Stage::start().await;
    let browser = stage.signed_in().await;
    stage.expire_access_tokens();
    stage
        .platform()
        .queue_fault(Target::Token, Fault::Delay(Duration::from_millis(500)), 1);
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str())];
    drop(send(stage.address(), "GET", "/me", &headers, "").await);
    until("the refresh", || {
        stage.counters().token_refresh.received == 1
    })
    .await;
    let stage = stage.restart().await;
    assert_eq!(browser.at(stage.address()).get("/me").await.status, 200);
    assert_eq!(
        stage.counters().token_refresh.received,
        1,
        "it was saved, not repeated"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_that_was_replaced_meanwhile_costs_no_refresh() {
    let stage = Stage::start().await;
    let browser = stage.signed_in().await;
    // This call leaves with the first token and is answered, 401, after another has refreshed.
    stage.expire_access_tokens();
    let (mut one, mut two) = (browser.clone(), browser);
    stage
        .platform()
        .queue_fault(Target::Api, Fault::Delay(Duration::from_millis(400)), 1);
    let late = tokio::spawn(async move { one.get("/me").await.status });
    until("the first call", || stage.counters().api.unauthorized == 1).await;
    assert_eq!(two.get("/me").await.status, 200);
    assert_eq!(late.await.unwrap(), 200);
    assert_eq!(stage.counters().token_refresh.received, 1);
}
