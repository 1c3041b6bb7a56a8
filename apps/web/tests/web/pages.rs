//! The pages, byte for byte.

use crate::stage::{Browser, Stage};

/// Snapshots `target`'s page without what differs from run to run.
async fn snapshot(name: &str, browser: &mut Browser, target: &str) {
    let answer = browser.get(target).await;
    insta::with_settings!({filters => vec![
        (r"/assets/[0-9a-f]{16}/", "/assets/[hash]/"),
        (r#"name="form_token" value="[^"]+""#, r#"name="form_token" value="[token]""#),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[machine time]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "[time]"),
        (r"in \d+ (second|minute|hour|day)s?", "[distance]"),
        (r"<code>[0-9a-f]{16}</code>", "<code>[reference]</code>"),
        (r"127\.0\.0\.1:\d+", "[platform]"),
    ]}, {
        insta::assert_snapshot!(name, format!("{} {target}\n\n{}", answer.status, answer.body));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages() {
    let stage = Stage::start().await;
    let mut stranger = stage.browser();
    snapshot("signed_out", &mut stranger, "/").await;
    snapshot("nothing_to_sign_out", &mut stranger, "/logout").await;
    snapshot("after_signing_out", &mut stranger, "/?done=sign-out").await;
    snapshot(
        "foreign_callback",
        &mut stranger,
        "/oauth/callback?state=x&code=y",
    )
    .await;
    snapshot("not_found", &mut stranger, "/nowhere").await;
    let mut browser = stage.signed_in().await;
    snapshot("dashboard", &mut browser, "/").await;
    snapshot("dashboard_with_answer", &mut browser, "/call").await;
    snapshot("sign_out", &mut browser, "/logout").await;
    stage.platform().end_all_sessions();
    // The platform is asked by a call, never by a page.
    browser.get("/me").await;
    snapshot("ended", &mut browser, "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_refresh_tokens() {
    let off = |config: &mut rc_sim::Config| {
        config
            .apps
            .iter_mut()
            .for_each(|app| app.issue_refresh_tokens = false);
    };
    let stage = Stage::start_with(off, |_| {}).await;
    snapshot(
        "dashboard_without_refresh_token",
        &mut stage.signed_in().await,
        "/",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_from_the_platform_are_text_and_not_markup() {
    let name = |config: &mut rc_sim::Config| {
        config.users[0].first_name = "<script>alert(1)</script>".into();
    };
    let stage = Stage::start_with(name, |_| {}).await;
    let mut browser = stage.signed_in().await;
    for target in ["/", "/call"] {
        let page = browser.get(target).await;
        assert!(!page.body.contains("<script"), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_stands_while_the_api_is_down() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let down = rc_sim::Replacement::new(503.try_into().expect("a status"), "");
    stage
        .platform()
        .queue_fault(rc_sim::Target::Api, rc_sim::Fault::Replace(down), 99);
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    let name = stage.platform().config().demo_user().unwrap().name();
    assert!(page.body.contains(&name) && page.body.contains("Generation"));
    let call = browser.get("/call").await;
    assert_eq!(call.status, 503);
    assert!(call.header("retry-after").is_some());
}
