//! What a stranger can make the application do: start sign-ins, send callbacks, link to it.

use std::time::Duration;

use http::StatusCode;
use rc_sim::{Fault, Replacement, Target};
use tokio::task::JoinSet;

use crate::stage::{Answer, Browser, Stage, exchange, send, until};

const USER: &str = "198.51.100.1";
const STRANGER: &str = "203.0.113.5";

/// A platform with its limits on, five token requests a minute for the app, and an application behind a
/// proxy at loopback.
async fn limited() -> Stage {
    Stage::start_with(
        |platform| platform.switches.limits.enabled = true,
        |variables| {
            variables.insert("RC_TRUSTED_PROXIES", "127.0.0.1".to_owned());
        },
    )
    .await
}

/// A callback with a good state and a code that the platform never gave.
async fn junk_callback(browser: &mut Browser) -> String {
    let url = url::Url::parse(&browser.begin().await).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    format!("/oauth/callback?state={state}&code=junk")
}

async fn send_junk(stage: &Stage, address: &str, times: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..times {
        let mut browser = stage.browser().forwarded_for(address);
        let callback = junk_callback(&mut browser).await;
        let cookies = browser.cookies.clone();
        answers.push(browser.get(&callback).await);
        assert_eq!(browser.cookies, cookies, "the pending cookie stays");
    }
    answers
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

async fn signed_in_from(stage: &Stage, address: &str) -> Browser {
    let mut browser = stage.browser().forwarded_for(address);
    let callback = browser.sign_in_at(&stage.sim).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_junk_callbacks_of_a_stranger_do_not_stop_a_refresh() {
    let stage = limited().await;
    let mut user = signed_in_from(&stage, USER).await;
    let answers = send_junk(&stage, STRANGER, 8).await;
    assert_eq!(statuses(&answers), [400, 400, 400, 429, 429, 429, 429, 429]);
    let limited = answers.last().unwrap();
    assert!(limited.body.contains("What to do"), "{}", limited.body);
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    stage.expire_access_tokens();
    assert_eq!(user.get("/me").await.status, 200);
    assert_eq!(stage.counters().token_code.received, 1 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_junk_callbacks_of_a_stranger_do_not_stop_another_sign_in() {
    let stage = limited().await;
    send_junk(&stage, STRANGER, 8).await;
    let mut user = signed_in_from(&stage, USER).await;
    assert_eq!(user.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_callbacks_sent_at_once_cost_no_more_token_requests() {
    let stage = limited().await;
    let mut sent = JoinSet::new();
    for _ in 0..8 {
        let mut browser = stage.browser().forwarded_for(STRANGER);
        let callback = junk_callback(&mut browser).await;
        sent.spawn(async move { browser.get(&callback).await.status });
    }
    let statuses = sent.join_all().await;
    assert!(
        statuses.iter().all(|status| [400, 429].contains(status)),
        "{statuses:?}"
    );
    assert!(stage.counters().token_code.received <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_address_signs_in_with_the_same_callback_after_the_window() {
    let stage = Stage::start().await;
    let mut user = stage.browser();
    let good = user.sign_in_at(&stage.sim).await;
    send_junk(&stage, "ignored", 3).await;
    assert_eq!(user.get(&good).await.status, 429);
    stage.clock.advance(Duration::from_secs(61));
    assert_eq!(user.get(&good).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_addresses_of_strangers_are_not_believed() {
    let stage = Stage::start().await;
    for (last, status) in [(1, 400), (2, 400), (3, 400), (4, 429)] {
        let address = format!("203.0.113.{last}");
        let answers = send_junk(&stage, &address, 1).await;
        assert_eq!(statuses(&answers), [status], "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_the_platform_calls_malformed_count_as_refused() {
    let stage = Stage::start().await;
    let body = r#"{"errorCode":"CMN-101","message":"Parameter [code] is invalid"}"#;
    let malformed = Replacement::new(StatusCode::BAD_REQUEST, body);
    stage
        .platform()
        .queue_fault(Target::Token, Fault::Replace(malformed), 100);
    let answers = send_junk(&stage, STRANGER, 4).await;
    assert_eq!(statuses(&answers), [502, 502, 502, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callback_limit_can_be_switched_off() {
    let stage = Stage::start_with(
        |_| {},
        |variables| {
            variables.insert("RC_CALLBACK_LIMIT", "off".to_owned());
        },
    )
    .await;
    let answers = send_junk(&stage, STRANGER, 5).await;
    assert_eq!(statuses(&answers), [400; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_in_the_air_are_bounded_also_when_their_browsers_hang_up() {
    const AT_ONCE: u64 = 64;
    let stage = Stage::start_with(
        |_| {},
        |variables| {
            variables.insert("RC_CALLBACK_LIMIT", "off".to_owned());
        },
    )
    .await;
    let slow = Fault::Delay(Duration::from_secs(300));
    stage.platform().queue_fault(Target::Token, slow, 100);
    let mut connections = Vec::new();
    for _ in 0..AT_ONCE {
        let mut browser = stage.browser();
        let callback = junk_callback(&mut browser).await;
        let cookies = browser.cookie_header();
        let headers = [("cookie", cookies.as_str())];
        connections.push(send(stage.address(), "GET", &callback, &headers, "").await);
    }
    until("all token requests", || {
        stage.counters().token_code.received == AT_ONCE
    })
    .await;
    drop(connections);
    let mut one_more = stage.browser();
    let callback = one_more.sign_in_at(&stage.sim).await;
    let answer = one_more.get(&callback).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    assert_eq!(stage.counters().token_code.received, AT_ONCE);
    assert_eq!(one_more.cookies.len(), 1, "the pending cookie stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_site_shows_the_button_and_starts_nothing() {
    let stage = Stage::start().await;
    let target = "/login?return_to=/call%3Fa=1%26b=2";
    let headers = [("sec-fetch-site", "cross-site")];
    let answer = exchange(stage.address(), "GET", target, &headers, "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("set-cookie").is_none());
    let button = "href=\"/login?return_to=%2Fcall%3Fa%3D1%26b%3D2\"";
    assert!(answer.body.contains(button), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_site_and_typed_addresses_start_a_sign_in() {
    let stage = Stage::start().await;
    for site in ["same-origin", "same-site", "none"] {
        let headers = [("sec-fetch-site", site)];
        let answer = exchange(stage.address(), "GET", "/login", &headers, "").await;
        assert_eq!(answer.status, 302, "{site}");
        assert!(
            answer.location().contains("/restapi/oauth/authorize?"),
            "{site}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_page_at_localhost_moves_to_the_host_of_the_redirect_uri() {
    let stage = Stage::start_with(
        |_| {},
        |variables| {
            let uri = "http://127.0.0.1:8080/oauth/callback";
            variables.insert("RC_REDIRECT_URI", uri.to_owned());
        },
    )
    .await;
    let headers = [("host", "localhost:8080")];
    let answer = exchange(stage.address(), "GET", "/", &headers, "").await;
    assert_eq!(
        (answer.status, answer.location()),
        (302, "http://127.0.0.1:8080/")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_session_is_ended_whatever_its_age() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    stage.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    let callback = browser.sign_in_at(&stage.sim).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    until("the end of the older sign-in", || {
        stage.counters().revocations == 1
    })
    .await;
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_iss_that_is_missing_refuses_the_callback() {
    let stage = Stage::start_with(
        |_| {},
        |variables| {
            variables.insert("RC_REQUIRE_ISS", "on".to_owned());
        },
    )
    .await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("no `iss`"), "{}", answer.body);
    assert_eq!(stage.token_requests(), 0);
    let issuer: String =
        url::form_urlencoded::byte_serialize(stage.sim.base_url().as_bytes()).collect();
    let with_issuer = format!("{callback}&iss={issuer}");
    assert_eq!(browser.get(&with_issuer).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_gets_through_a_flood_of_callbacks_from_many_addresses() {
    const FLOOD: usize = 1_000;
    let stage = Stage::start_with(
        |_| {},
        |variables| {
            variables.insert("RC_TRUSTED_PROXIES", "127.0.0.1".to_owned());
        },
    )
    .await;
    let mut user = signed_in_from(&stage, USER).await;
    stage.expire_access_tokens();
    let mut callbacks = Vec::new();
    for number in 0..FLOOD {
        let address = format!("203.0.{}.{}", number / 250, number % 250);
        let mut browser = stage.browser().forwarded_for(&address);
        let callback = junk_callback(&mut browser).await;
        callbacks.push((browser, callback));
    }
    let mut flood = JoinSet::new();
    for (mut browser, callback) in callbacks {
        flood.spawn(async move { browser.get(&callback).await.status });
    }
    // The page gives up after ten seconds, so it has waited for none of the platform's penalties, 30 s at least.
    assert_eq!(user.get("/me").await.status, 200);
    let statuses = flood.join_all().await;
    assert!(
        statuses.iter().all(|status| [400, 503].contains(status)),
        "{statuses:?}"
    );
}
