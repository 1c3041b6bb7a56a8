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

/// Every route that takes a form.
const FORM_ROUTES: &[&str] = &["/refresh", "/logout"];

#[tokio::test(flavor = "multi_thread")]
async fn a_post_from_another_site_changes_nothing_and_touches_no_cookie() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let form = format!("form_token={}", browser.form_token().await);
    let cookies = browser.cookie_header();
    let here = format!("http://{}", stage.address());
    let foreign: &[&[(&str, &str)]] = &[
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "")],
        &[("sec-fetch-site", "cross-site"), ("origin", &here)],
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", &here), ("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:2")],
    ];
    for route in FORM_ROUTES {
        for from in foreign {
            for cookies in [cookies.as_str(), "", "rc_web_session=junk"] {
                let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
                headers.push(("cookie", cookies));
                headers.extend_from_slice(from);
                let answer = exchange(stage.address(), "POST", route, &headers, &form).await;
                let what = format!("{route} {from:?} {cookies:?}");
                assert_eq!(answer.status, 403, "{what}");
                assert_eq!(answer.header("set-cookie"), None, "{what}");
            }
        }
    }
    assert_eq!(stage.counters().token_refresh.received, 0);
    assert_eq!(stage.counters().revocations, 0);
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_from_the_own_pages_passes_by_either_header() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let form = format!("form_token={}", browser.form_token().await);
    let cookies = browser.cookie_header();
    let here = format!("http://{}", stage.address());
    let own: &[&[(&str, &str)]] = &[
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        &[("origin", &here)],
        &[("origin", "http://127.0.0.1:1")], // the redirect URI's, as behind a proxy
        &[],
    ];
    for from in own {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.push(("cookie", &cookies));
        headers.extend_from_slice(from);
        let answer = exchange(stage.address(), "POST", "/refresh", &headers, &form).await;
        assert_eq!(answer.status, 303, "{from:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_does_not_arrive_in_time_is_given_up() {
    let limit = std::time::Duration::from_millis(50);
    let stage = Stage::start_configured(|_| {}, |_| {}, |config| config.form_limit = limit).await;
    let mut browser = stage.signed_in().await;
    let cookies = browser.cookie_header();
    for route in FORM_ROUTES {
        let headers = [
            ("cookie", cookies.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "55"),
        ];
        // The body never comes; the answer and the end of the connection do.
        let answer = exchange(stage.address(), "POST", route, &headers, "");
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), answer).await;
        assert_eq!(answer.expect("an end in time").status, 408, "{route}");
    }
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_form_is_not_waited_for() {
    let stage = Stage::start().await;
    for (route, site, status) in [
        ("/logout", "same-origin", 303),
        ("/refresh", "same-origin", 401),
        ("/logout", "cross-site", 403),
        ("/refresh", "cross-site", 403),
        ("/", "same-origin", 405),
    ] {
        let headers = [("sec-fetch-site", site), ("content-length", "55")];
        let answer = exchange(stage.address(), "POST", route, &headers, "");
        let answer = tokio::time::timeout(std::time::Duration::from_secs(8), answer).await;
        assert_eq!(
            answer.map(|answer| answer.status),
            Ok(status),
            "{route} {site}"
        );
    }
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
    assert_eq!(answer.header("set-cookie"), None);
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

/// One small request must not hold a connection for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_is_refused_and_its_connection_closed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let stage = Stage::start().await;
    for target in ["/healthz", "/", "/nowhere", "/logout"] {
        for method in ["GET", "POST"] {
            let mut connection = tokio::net::TcpStream::connect(stage.address())
                .await
                .expect("a connection");
            let request = format!(
                "{method} {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            connection
                .write_all(request.as_bytes())
                .await
                .expect("sent");
            let mut answer = Vec::new();
            let limit = std::time::Duration::from_secs(10);
            let closed = tokio::time::timeout(limit, connection.read_to_end(&mut answer)).await;
            assert!(closed.is_ok(), "{method} {target}: still open");
            assert!(answer.starts_with(b"HTTP/1.1 411"), "{method} {target}");
        }
    }
}
