//! Callbacks that must go nowhere: a clear 4xx page, no token request, no session, and the browser's real
//! sign-in still finishes.

use std::time::Duration;

use rc_auth::PendingAuthorization;

use crate::stage::{Browser, Stage, allow, deny};

/// Sends `target` in a browser with an unfinished sign-in, then finishes that sign-in.
async fn refuse(target: impl FnOnce(&str) -> String, status: u16) {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let good = browser.sign_in_at(&stage.sim).await;
    let bad = target(&good);
    let cookies = browser.cookies.clone();

    let answer = browser.get(&bad).await;
    let shown: String = bad.chars().take(200).collect();
    assert_eq!(answer.status, status, "{shown}: {}", answer.body);
    assert!(
        answer.body.contains("What to do"),
        "a page, not a blank: {shown}"
    );
    assert_eq!(stage.token_requests(), 0, "{shown}");
    assert_eq!(
        browser.cookies, cookies,
        "nothing set, nothing removed: {shown}"
    );

    assert_eq!(
        browser.get(&good).await.status,
        303,
        "the real one finishes after {shown}"
    );
    assert_eq!(browser.get("/me").await.status, 200);
}

fn parameter(target: &str, name: &str) -> String {
    let query = target.split_once('?').unwrap().1;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_state() {
    refuse(|_| "/oauth/callback?code=abc".into(), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything() {
    refuse(|_| "/oauth/callback".into(), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_wrong_state() {
    refuse(
        |_| format!("/oauth/callback?code=abc&state={}", "A".repeat(43)),
        400,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_states() {
    refuse(|good| format!("{good}&state=other"), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_code() {
    refuse(
        |good| format!("/oauth/callback?state={}", parameter(good, "state")),
        400,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_codes() {
    refuse(|good| format!("{good}&code=other"), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_issuer_of_another_server() {
    refuse(|good| format!("{good}&iss=https%3A%2F%2Fevil.example"), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_access_denied() {
    let state = |good: &str| parameter(good, "state");
    refuse(
        |good| format!("/oauth/callback?error=access_denied&state={}", state(good)),
        403,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_lot_of_rubbish() {
    // As much as fits into a request target together with the path; the next test sends more.
    refuse(|good| format!("{good}&x={}", "y".repeat(60 * 1024)), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_bytes_that_are_no_text() {
    refuse(|_| "/oauth/callback?state=%FF%FE%00&code=%80".into(), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_64_kib_of_rubbish_is_refused_before_any_handler() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let good = browser.sign_in_at(&stage.sim).await;
    let answer = browser
        .get(&format!("{good}&x={}", "y".repeat(64 * 1024)))
        .await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(stage.token_requests(), 0);
    assert_eq!(browser.get(&good).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_user_who_pressed_deny() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let url = browser.begin().await;
    let answer = browser.get(&deny(&stage.sim, &url)).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("did not allow"), "{}", answer.body);
    assert_eq!(stage.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_comes_after_the_sign_in_expired() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let late = browser.sign_in_at(&stage.sim).await;
    stage
        .clock
        .advance(PendingAuthorization::LIFETIME + Duration::from_secs(1));
    let answer = browser.get(&late).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("ten minutes"), "{}", answer.body);
    assert_eq!(stage.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_another_browser() {
    let stage = Stage::start().await;
    let mut victim = stage.browser();
    let callback = victim.sign_in_at(&stage.sim).await;
    let mut other = stage.browser();
    other.begin().await;
    assert_eq!(other.get(&callback).await.status, 400);
    assert_eq!(stage.token_requests(), 0);
    assert_eq!(victim.get(&callback).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_cookie_of_another_attempt_under_its_name() {
    let stage = Stage::start().await;
    let (mut browser, mut other) = (stage.browser(), stage.browser());
    let callback = browser.sign_in_at(&stage.sim).await;
    other.begin().await;
    let name = browser.cookies.keys().next().unwrap().clone();
    let foreign = other.cookies.into_values().next().unwrap();
    browser.cookies.insert(name, foreign);
    assert_eq!(browser.get(&callback).await.status, 400);
    assert_eq!(stage.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_by_a_thief_of_the_cookies_gives_the_same_grant_and_dies_with_it() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    let mut copy = browser.clone();
    browser.get(&callback).await;
    browser.press("/logout").await;
    assert_eq!(
        copy.get(&callback).await.status,
        400,
        "used, and signed out since"
    );
    assert_eq!(stage.counters().token_code.received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_browser_hangs_up_is_finished_all_the_same() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let url = browser.begin().await;
    let callback = allow(&stage.sim, &url);
    let delay = rc_sim::Fault::Delay(Duration::from_millis(200));
    stage
        .platform()
        .queue_fault(rc_sim::Target::Token, delay, 1);
    hang_up(&stage, &browser, &callback).await;
    crate::stage::until("the code to be exchanged", || {
        stage.counters().token_code.issued == 1
    })
    .await;
    let answer = browser.get(&callback).await;
    assert_eq!(
        answer.status, 303,
        "the same browser gets what came of it: {}",
        answer.body
    );
    assert_eq!(browser.get("/me").await.status, 200);
    assert_eq!(stage.counters().token_code.received, 1);
}

/// Sends the callback and closes the connection once the platform has been asked.
async fn hang_up(stage: &Stage, browser: &Browser, callback: &str) {
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str())];
    let connection = crate::stage::send(stage.address(), "GET", callback, &headers, "").await;
    crate::stage::until("the token request", || stage.token_requests() == 1).await;
    drop(connection);
}
