//! What every answer carries, and which methods addresses take.

use crate::stage::{Answer, Stage, exchange};

const ALWAYS: &[(&str, &str)] = &[
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

fn check(answer: &Answer, what: &str) {
    for (name, value) in ALWAYS {
        assert_eq!(answer.header(name), Some(*value), "{what}: {name}");
    }
    let csp = answer.header("content-security-policy").expect("a policy");
    for part in [
        "default-src 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(csp.contains(part), "{what}: {csp}");
    }
    assert!(!csp.contains("unsafe"), "{what}: {csp}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers_and_is_not_stored() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    for target in [
        "/",
        "/call",
        "/login",
        "/me",
        "/logout",
        "/oauth/callback",
        "/oauth/callback?state=x&code=y",
        "/healthz",
        "/readyz",
        "/nowhere",
        "/refresh",
        "/assets/0/style.css",
    ] {
        let answer = browser.get(target).await;
        check(&answer, target);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        assert!(
            answer.header("strict-transport-security").is_none(),
            "{target}"
        );
    }
    for (method, target) in [
        ("POST", "/refresh"),
        ("POST", "/"),
        ("PUT", "/logout"),
        ("TRACE", "/"),
    ] {
        let answer = exchange(stage.address(), method, target, &[], "").await;
        check(&answer, target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_no_script_and_no_inline_style() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    for target in ["/", "/call", "/logout", "/nowhere", "/oauth/callback"] {
        let body = browser.get(target).await.body.to_lowercase();
        for forbidden in [
            "<script",
            "<style",
            " style=",
            "javascript:",
            " onclick",
            "=\"http",
            "url(",
        ] {
            assert!(!body.contains(forbidden), "{target}: {forbidden}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stylesheet_is_kept_for_ever_under_a_name_of_its_content() {
    let stage = Stage::start().await;
    let page = stage.browser().get("/").await.body;
    let path = page
        .split('"')
        .find(|part| part.ends_with("/style.css"))
        .expect("a stylesheet");
    let answer = stage.browser().get(path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert!(
        answer
            .header("cache-control")
            .unwrap()
            .contains("immutable")
    );
    check(&answer, path);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_https_cookies_are_secure_and_host_bound_and_transport_is_strict() {
    let uri = "https://app.example.com/signed-in";
    let stage = Stage::start_with(
        |config| {
            config
                .apps
                .iter_mut()
                .for_each(|app| app.redirect_uris = vec![uri.to_owned()]);
        },
        |variables| drop(variables.insert("RC_REDIRECT_URI", uri.to_owned())),
    )
    .await;
    let mut browser = stage.browser();
    let login = browser.get("/login").await;
    let callback = crate::stage::allow(&stage.sim, login.location());
    assert!(
        callback.starts_with("/signed-in?"),
        "the callback is where the redirect URI says"
    );
    let signed_in = browser.get(&callback).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    let set: Vec<_> = login
        .all("set-cookie")
        .chain(signed_in.all("set-cookie"))
        .collect();
    assert_eq!(set.len(), 3, "attempt, session, end of the attempt");
    for cookie in set {
        assert!(cookie.starts_with("__Host-rc_web_"), "{cookie}");
        for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    assert_eq!(
        browser.get("/").await.header("strict-transport-security"),
        Some("max-age=31536000")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_http_cookies_are_http_only_and_lax() {
    let stage = Stage::start().await;
    let answer = stage.browser().get("/login").await;
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(
        !cookie.contains("Secure") && !cookie.starts_with("__Host-"),
        "{cookie}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_methods_are_405_and_say_what_is_allowed() {
    let stage = Stage::start().await;
    for (method, target, allowed) in [
        ("POST", "/", "GET, HEAD"),
        ("POST", "/login", "GET, HEAD"),
        ("POST", "/oauth/callback", "GET, HEAD"),
        ("DELETE", "/me", "GET, HEAD"),
        ("GET", "/refresh", "POST"),
        ("PUT", "/logout", "GET, HEAD, POST"),
    ] {
        let answer = exchange(stage.address(), method, target, &[], "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allowed)),
            "{method} {target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_like_get_without_a_body() {
    let stage = Stage::start().await;
    for target in ["/", "/me", "/logout", "/healthz"] {
        let get = exchange(stage.address(), "GET", target, &[], "").await;
        let head = exchange(stage.address(), "HEAD", target, &[], "").await;
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(
            head.header("content-length"),
            get.header("content-length"),
            "{target}"
        );
        assert_eq!(head.body, "", "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_get_life_and_readiness() {
    let stage = Stage::start().await;
    let mut browser = stage.browser();
    assert_eq!(browser.get("/healthz").await.body, "live\n");
    assert_eq!(browser.get("/readyz").await.body, "ready\n");
}
