//! What the token endpoint may answer. At sign-in: a page that says what to do. During a refresh: only a
//! token-dead code ends the sign-in.

use std::time::Duration;

use actix_web::http::StatusCode;
use rc_sim::{Fault, Replacement, Target};

use crate::stage::Stage;

fn answer(status: u16, body: &'static str) -> Replacement {
    Replacement::new(status.try_into().expect("a status"), body)
}

/// Every answer that must not end a sign-in.
fn harmless() -> Vec<(&'static str, Fault)> {
    let replace = |status, body| Fault::Replace(answer(status, body));
    let wait = answer(
        429,
        r#"{"errorCode":"CMN-301","message":"Request rate exceeded"}"#,
    )
    .header("retry-after".parse().unwrap(), "1".parse().unwrap());
    vec![
        (
            "400 invalid_client",
            replace(
                400,
                r#"{"error":"invalid_client","errors":[{"errorCode":"OAU-153"}]}"#,
            ),
        ),
        (
            "400 of the API's shape",
            replace(
                400,
                r#"{"errorCode":"CMN-101","message":"Parameter is invalid"}"#,
            ),
        ),
        ("401 bare", replace(401, r#"{"error":"invalid_client"}"#)),
        (
            "403",
            replace(
                403,
                r#"{"error":"unauthorized_client","errors":[{"errorCode":"OAU-140"}]}"#,
            ),
        ),
        ("429 with Retry-After", Fault::Replace(wait)),
        ("500", replace(500, "{}")),
        ("503", replace(503, "")),
        ("HTML", replace(200, "<html>maintenance</html>")),
        ("truncated", Fault::Truncate(20)),
        ("dropped before", Fault::DropBefore),
        ("dropped after", Fault::DropAfter),
        ("slow", Fault::Delay(Duration::from_millis(300))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_during_a_refresh_keeps_the_sign_in() {
    for (name, fault) in harmless() {
        let stage = Stage::start().await;
        let mut browser = stage.signed_in().await;
        stage.expire_access_tokens();
        stage.platform().queue_fault(Target::Token, fault, 1);
        // The page may come at once, or say when to try again.
        let mut last = String::new();
        let mut status = 0;
        for _ in 0..20 {
            let answer = browser.get("/me").await;
            (status, last) = (answer.status, answer.body.clone());
            assert!([200, 503].contains(&status), "{name}: {status} {last}");
            if status == 200 {
                break;
            }
            assert!(answer.header("retry-after").is_some(), "{name}: {last}");
            stage.clock.advance(Duration::from_secs(60));
        }
        assert_eq!(status, 200, "{name}: {last}");
        assert_eq!(
            stage.counters().token_code.received,
            1,
            "{name}: nobody signed in again"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_at_sign_in_is_a_page_and_no_session() {
    for (status, body, expected) in [
        (
            400,
            r#"{"error":"invalid_grant","errors":[{"errorCode":"OAU-103"}]}"#,
            400,
        ),
        (400, r#"{"error":"invalid_grant"}"#, 400),
        (401, r#"{"error":"invalid_client"}"#, 502),
        (429, r#"{"errorCode":"CMN-301"}"#, 503),
        (200, "<html></html>", 502),
        (200, r#"{"access_token":"#, 502),
    ] {
        let stage = Stage::start().await;
        let mut browser = stage.browser();
        let callback = browser.sign_in_at(&stage.sim).await;
        stage
            .platform()
            .queue_fault(Target::Token, Fault::Replace(answer(status, body)), 9);
        let page = browser.get(&callback).await;
        assert_eq!(page.status, expected, "{status} {body}: {}", page.body);
        assert!(
            page.body.contains("What to do") && page.body.contains("Reference"),
            "{}",
            page.body
        );
        assert_eq!(page.header("retry-after").is_some(), expected == 503);
        assert!(!browser.cookies.contains_key("rc_web_session"));

        stage.platform().clear_faults();
        if status != 429 {
            let callback = browser.sign_in_at(&stage.sim).await;
            assert_eq!(
                browser.get(&callback).await.status,
                303,
                "a new sign-in works after {status}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_for_the_length_of_a_sign_in_is_a_503() {
    for status in [500, 503] {
        let stage = Stage::start().await;
        let mut browser = stage.browser();
        let callback = browser.sign_in_at(&stage.sim).await;
        stage
            .platform()
            .queue_fault(Target::Token, Fault::Replace(answer(status, "")), 9);
        let page = browser.get(&callback).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE.as_u16());
        assert!(page.header("retry-after").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_code_exchange_is_survived_or_explained() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let stage = Stage::start().await;
        let mut browser = stage.browser();
        let callback = browser.sign_in_at(&stage.sim).await;
        stage.platform().queue_fault(Target::Token, fault, 1);
        let page = browser.get(&callback).await;
        assert!([303, 400, 503].contains(&page.status), "{}", page.body);
        let callback = browser.sign_in_at(&stage.sim).await;
        assert_eq!(browser.get(&callback).await.status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_refresh_token_ends_the_sign_in_and_asks_once() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    stage.platform().end_all_sessions();
    for _ in 0..3 {
        assert_eq!(browser.get("/me").await.status, 401);
    }
    assert_eq!(stage.counters().token_refresh.received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_server_is_refreshed_without_reusing_a_token() {
    let stage = Stage::start_with(
        |config| config.switches.refresh_replay = rc_sim::RefreshReplay::Strict,
        |variables| drop(variables.insert("RC_REFRESH_REPLAY", "none".into())),
    )
    .await;
    let mut browser = stage.signed_in().await;
    for refreshed in 1..=3 {
        stage.expire_access_tokens();
        assert_eq!(browser.get("/me").await.status, 200);
        assert_eq!(stage.counters().token_refresh.issued, refreshed);
    }
    assert_eq!(stage.counters().token_refresh.refused, 0);
}
