//! What the application has to stand: odd callbacks, storms, faults, restarts, people who search for
//! secrets.

use rc_sim::{Fault, Target};
use tokio::task::JoinSet;

use crate::stage::{Answer, Stage, deny, exchange};

async fn me(stage: &Stage, cookies: &str) -> Answer {
    let headers = [("cookie", cookies)];
    exchange(stage.address(), "GET", "/me", &headers, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_callbacks_are_4xx_pages_without_a_token_request_and_lose_nothing() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    let rubbish = format!("state={}", "x".repeat(9_000));
    let own_state = callback
        .split(['?', '&'])
        .find(|pair| pair.starts_with("state="))
        .unwrap()
        .to_owned();
    let queries = [
        String::new(),
        "code=x".to_owned(),
        "code=x&state=wrong".to_owned(),
        own_state.clone(),
        format!("{own_state}&code=a&code=b"),
        format!("{own_state}&code=a&iss=https://evil.example"),
        format!("{own_state}&error=access_denied"),
        rubbish,
    ];
    for query in queries {
        let answer = browser.get(&format!("/oauth/callback?{query}")).await;
        assert!(
            (400..500).contains(&answer.status),
            "{query}: {}",
            answer.status
        );
        assert!(
            answer.header("content-security-policy").is_some(),
            "{query}"
        );
    }
    assert_eq!(stage.token_requests(), 0);
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_another_browser_is_refused() {
    let stage = Stage::start().await;
    let callback = stage.browser().sign_in_at(&stage.sim).await;
    let answer = stage.browser().get(&callback).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(stage.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_says_no_gets_a_page_that_says_so() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let url = browser.begin().await;
    let callback = deny(&stage.sim, &url);
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(stage.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_on_an_expired_token_make_one_refresh() {
    let stage = Stage::start().await;
    let browser = stage.signed_in().await;
    stage.expire_access_tokens();
    let address = stage.address();
    let cookies = browser.cookie_header();
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let cookies = cookies.clone();
        calls.spawn(async move {
            exchange(address, "GET", "/me", &[("cookie", cookies.as_str())], "")
                .await
                .status
        });
    }
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(stage.counters().token_refresh.received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_refresh_is_made_good() {
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::Truncate(20)] {
        let stage = Stage::start().await;
        let browser = stage.signed_in().await;
        stage.expire_access_tokens();
        stage
            .platform()
            .queue_fault(Target::Token, fault.clone(), 1);
        assert_eq!(
            me(&stage, &browser.cookie_header()).await.status,
            200,
            "{fault:?}"
        );
        assert_eq!(stage.counters().live_sessions, 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_user_signed_in() {
    let stage = Stage::start().await;
    let browser = stage.signed_in().await;
    let stage = stage.restart().await;
    assert_eq!(me(&stage, &browser.cookie_header()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_without_the_form_token_are_refused() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    for action in ["/logout", "/refresh"] {
        for form in ["", "form_token=wrong"] {
            let answer = browser.post(action, form).await;
            assert_eq!(answer.status, 403, "{action} {form}");
        }
    }
    assert_eq!(me(&stage, &browser.cookie_header()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn return_to_never_leaves_the_application() {
    let stage = Stage::start().await;
    for target in [
        "//evil.example",
        "/%5Cevil.example",
        "https://evil.example",
        "/%09/evil.example",
    ] {
        let mut browser = stage.browser();
        let answer = browser.get(&format!("/login?return_to={target}")).await;
        if answer.status == 302 {
            let callback = crate::stage::allow(&stage.sim, answer.location());
            let done = browser.get(&callback).await;
            assert_eq!((done.status, done.location()), (303, "/"), "{target}");
        } else {
            assert_eq!(answer.status, 400, "{target}");
        }
    }
}
