//! Forms: only from pages of the same browser session.

use crate::stage::{Stage, exchange};

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let mut stranger = stage.signed_in().await;
    let foreign = stranger.form_token().await;
    for action in ["/refresh", "/logout"] {
        for form in [
            "",
            "form_token=",
            "form_token=wrong",
            "other=x",
            &format!("form_token={foreign}"),
        ] {
            let answer = browser.post(action, form).await;
            assert_eq!(answer.status, 403, "{action} {form}");
        }
    }
    assert_eq!(stage.counters().token_refresh.received, 0);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_another_site_changes_nothing_even_with_the_token() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let form = format!("form_token={}", browser.form_token().await);
    let cookies = browser.cookie_header();
    for site in ["cross-site", "same-site", "none"] {
        let headers = [
            ("cookie", cookies.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", site),
        ];
        let answer = exchange(stage.address(), "POST", "/logout", &headers, &form).await;
        assert_eq!(answer.status, 403, "{site}");
    }
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_media_type_or_a_huge_one_is_refused() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let form = format!("form_token={}", browser.form_token().await);
    let cookies = browser.cookie_header();
    let headers = [("cookie", cookies.as_str()), ("content-type", "text/plain")];
    assert_eq!(
        exchange(stage.address(), "POST", "/logout", &headers, &form)
            .await
            .status,
        403
    );
    let huge = format!("{form}&x={}", "y".repeat(5000));
    assert_eq!(browser.post("/logout", &huge).await.status, 413);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_the_session_before_is_refused_after_a_new_sign_in() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let stale = format!("form_token={}", browser.form_token().await);
    let callback = browser.sign_in_at(&stage.sim).await;
    browser.get(&callback).await;
    assert_eq!(browser.post("/logout", &stale).await.status, 403);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_logout_asks_first() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let page = browser.get("/logout").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Sign out?"));
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_without_a_session_is_harmless() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    assert!(
        browser
            .get("/logout")
            .await
            .body
            .contains("You are signed out")
    );
    let answer = browser.post("/logout", "").await;
    assert_eq!((answer.status, answer.location()), (303, "/?done=sign-out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_browser_session_although_the_platform_is_down() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let copied = browser.clone();
    let form = format!("form_token={}", browser.form_token().await);
    let down = rc_sim::Fault::Replace(rc_sim::Replacement::new(unavailable(), "down"));
    stage
        .platform()
        .queue_fault(rc_sim::Target::Revoke, down, 100);
    let answer = browser.post("/logout", &form).await;
    assert_eq!(answer.status, 303);
    assert!(browser.cookies.is_empty());
    assert_eq!(
        copied.clone().get("/me").await.status,
        401,
        "a copied cookie is worth nothing"
    );
}

fn unavailable<T: TryFrom<u16, Error: std::fmt::Debug>>() -> T {
    503.try_into().expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshing_without_a_session_is_refused() {
    let stage = Stage::start().await;
    assert_eq!(stage.browser().post("/refresh", "").await.status, 401);
}
