//! The sign-in, from the button to the dashboard.

use crate::stage::{Stage, exchange, until};

const SESSION: &str = "rc_web_session";

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_to_a_dashboard_that_names_the_user() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    let answer = browser.get(&callback).await;
    assert_eq!((answer.status, answer.location()), (303, "/"));
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    let name = stage.platform().config().demo_user().unwrap().name();
    assert!(page.body.contains(&name), "{}", page.body);
    assert!(page.body.contains("Generation"));
    assert_eq!(
        browser.cookies.keys().collect::<Vec<_>>(),
        [SESSION],
        "the attempt's cookie is gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_job_sign_in_call_refresh_sign_out_and_again() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    assert!(
        browser
            .get("/call")
            .await
            .body
            .contains("&#34;extensionNumber&#34;")
    );
    let answer = browser.press("/refresh").await;
    assert_eq!((answer.status, answer.location()), (303, "/?done=refresh"));
    assert_eq!(stage.counters().token_refresh.issued, 1);
    assert!(
        browser
            .get("/?done=refresh")
            .await
            .body
            .contains("Refreshed.")
    );
    let answer = browser.press("/logout").await;
    assert_eq!((answer.status, answer.location()), (303, "/?done=sign-out"));
    assert!(browser.cookies.is_empty());
    assert!(
        browser
            .get(answer.location())
            .await
            .body
            .contains("You are signed out.")
    );
    assert_eq!(
        stage.counters().live_sessions,
        0,
        "the platform's session is revoked"
    );

    let callback = browser.sign_in_at(&stage.sim).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn return_to_leads_to_local_paths_only() {
    let stage = Stage::start().await;
    for (asked, reached) in [
        ("/me", "/me"),
        ("/call%3Fa=b", "/call?a=b"),
        ("//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("/%2509/evil.example", "/"),
        ("https://evil.example", "/"),
        ("/login", "/"),
        ("/log%2569n", "/"),
        ("/oauth/c%2561llback", "/"),
        ("/oauth/callback?x=y", "/"),
        ("/me&return_to=//evil.example", "/me"),
    ] {
        let mut browser = stage.browser();
        let answer = browser.get(&format!("/login?return_to={asked}")).await;
        let callback = crate::stage::allow(&stage.sim, answer.location());
        assert_eq!(browser.get(&callback).await.location(), reached, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_sign_in_at_once_both_finish() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let first = browser.sign_in_at(&stage.sim).await;
    let second = browser.sign_in_at(&stage.sim).await;
    assert_eq!(browser.get(&second).await.status, 303);
    assert_eq!(browser.get(&first).await.status, 303);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_on_the_callback_is_one_sign_in() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    let (mut one, mut two) = (browser.clone(), browser.clone());
    let (a, b) = tokio::join!(one.get(&callback), two.get(&callback));
    assert_eq!((a.status, b.status), (303, 303));
    assert_eq!(stage.counters().token_code.received, 1);
    assert_eq!(stage.counters().live_sessions, 1);
    assert_eq!(one.get("/me").await.status, 200);
    assert_eq!(
        two.get("/me").await.status,
        200,
        "neither signed the other out"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_to_the_callback_changes_nothing() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    browser.get(&callback).await;
    let cookies = browser.cookies.clone();
    let again = browser.get(&callback).await;
    assert_eq!(
        (again.status, again.location()),
        (303, "/"),
        "a valid session is worth more than an outdated callback"
    );
    assert_eq!(browser.cookies, cookies);
    assert_eq!(stage.counters().token_code.received, 1);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_makes_a_new_session_and_ends_the_older_grant() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let older = browser.clone();
    let callback = browser.sign_in_at(&stage.sim).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_ne!(older.cookies[SESSION], browser.cookies[SESSION]);
    assert_eq!(browser.get("/me").await.status, 200);
    until("the older session to end", || {
        stage.counters().live_sessions == 1
    })
    .await;
    assert_eq!(older.clone().get("/me").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_keeps_five_unfinished_sign_ins_and_drops_the_oldest() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let mut callbacks = Vec::new();
    for _ in 0..6 {
        callbacks.push(browser.sign_in_at(&stage.sim).await);
        stage.clock.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(browser.cookies.len(), 5);
    assert_eq!(browser.get(&callbacks[0]).await.status, 400);
    assert_eq!(browser.get(&callbacks[1]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_in_the_cookies_of_unfinished_sign_ins_is_cleared_away() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    browser
        .cookies
        .insert("rc_web_sign_in_0123456789abcdef".into(), "rubbish".into());
    browser.begin().await;
    assert_eq!(browser.cookies.len(), 1);
    assert!(
        !browser
            .cookies
            .contains_key("rc_web_sign_in_0123456789abcdef")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_at_localhost_is_moved_to_the_host_of_the_redirect_uri() {
    let redirect_uri = "http://127.0.0.1:8080/oauth/callback";
    let stage = Stage::start_with(
        |_| {},
        |vars| drop(vars.insert("RC_REDIRECT_URI", redirect_uri.into())),
    )
    .await;
    for (host, location) in [
        (
            "localhost:8080",
            "http://127.0.0.1:8080/login?return_to=%2Fme",
        ),
        ("[::1]:8080", "http://127.0.0.1:8080/login?return_to=%2Fme"),
    ] {
        let headers = [("host", host)];
        let target = "/login?return_to=/me";
        let answer = exchange(stage.address(), "GET", target, &headers, "").await;
        assert_eq!(
            (answer.status, answer.location()),
            (302, location),
            "{host}"
        );
        assert!(answer.header("set-cookie").is_none());
    }
    for host in ["127.0.0.1:8080", "localhost:9999"] {
        let headers = [("host", host)];
        let answer = exchange(stage.address(), "GET", "/login", &headers, "").await;
        assert!(
            answer.location().contains("/restapi/oauth/authorize?"),
            "{host}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_session_ends_after_thirty_days_at_the_server() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    stage
        .clock
        .advance(std::time::Duration::from_secs(30 * 24 * 3600));
    let answer = browser.get("/me").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (401, Some("signed_out"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_session_ends_after_fourteen_idle_days_and_goes_on_with_each_request() {
    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    assert_eq!(browser.get("/logout").await.header("set-cookie"), None);
    stage.clock.advance(13 * DAY);
    let page = browser.get("/logout").await;
    assert!(page.body.contains("Sign out?"), "{}", page.body);
    let prolonged = page.header("set-cookie").expect("a session prolonged");
    assert!(prolonged.starts_with("rc_web_session="), "{prolonged}");
    stage.clock.advance(13 * DAY);
    assert!(browser.get("/logout").await.body.contains("Sign out?"));
    stage.clock.advance(14 * DAY);
    let page = browser.get("/logout").await;
    assert!(page.body.contains("You are signed out"), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_is_not_undone_by_a_session_that_was_due_to_be_prolonged() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let form = format!("form_token={}", browser.form_token().await);
    stage
        .clock
        .advance(std::time::Duration::from_secs(24 * 3600));
    assert_eq!(browser.post("/logout", &form).await.status, 303);
    assert!(browser.cookies.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_people_signed_in() {
    let stage = Stage::start().await;
    let browser = stage.signed_in().await;
    let stage = stage.restart().await;
    let mut browser = browser.at(stage.address());
    assert_eq!(browser.get("/me").await.status, 200);
    stage.expire_access_tokens();
    assert_eq!(
        browser.get("/me").await.status,
        200,
        "the refresh token survived as well"
    );
    assert_eq!(stage.counters().token_code.received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_begun_before_a_restart_finishes_after_it() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    let callback = browser.sign_in_at(&stage.sim).await;
    let stage = stage.restart().await;
    let mut browser = browser.at(stage.address());
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_the_platform_ended_asks_for_a_new_one() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    stage.platform().end_all_sessions();
    let answer = browser.get("/me").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (401, Some("sign_in_again"))
    );
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Please sign in again.") && page.body.contains("href=\"/login\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_refresh_tokens_the_dashboard_names_the_switch() {
    let stage = Stage::start_with(
        |config| {
            config
                .apps
                .iter_mut()
                .for_each(|app| app.issue_refresh_tokens = false);
        },
        |_| {},
    )
    .await;
    let mut browser = stage.signed_in().await;
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("“Issue refresh tokens” is off."),
        "{}",
        page.body
    );
    let answer = browser.press("/refresh").await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("Issue refresh tokens"));
    assert_eq!(
        browser.get("/me").await.status,
        200,
        "the sign-in lasts until it expires"
    );
    stage.expire_access_tokens();
    assert_eq!(browser.get("/me").await.status, 401);
}
