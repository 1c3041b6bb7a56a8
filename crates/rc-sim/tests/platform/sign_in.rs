//! The authorization endpoint, the pages, and what comes back to the app.

use crate::stage::{ADA, REDIRECT_URI, Stage, form, location, refusal, refused, secs};
use bytes::Bytes;
use http::Response;
use rc_sim::App;

fn html(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).expect("text")
}

fn ticket(page: &str) -> String {
    let (_, rest) = page
        .split_once(r#"name="ticket" value=""#)
        .expect("a consent page");
    rest.split_once('"').expect("a value").0.to_owned()
}

/// Signs Ada in on the page behind the authorization URL.
fn submit(stage: &mut Stage, more: &[(&str, &str)]) -> (String, Response<Bytes>) {
    let url = stage.authorize_url(more);
    let page = location(&stage.get(&url, &[]));
    let body = [("login", ADA), ("password", "Engine-1843")];
    let response = stage.post_form(&page, &body, None);
    (page, response)
}

#[test]
fn the_browser_is_sent_to_the_sign_in_page() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let response = stage.get(&url, &[]);
    assert_eq!(response.status(), 302);
    let page = location(&response);
    assert!(
        page.starts_with("/login?response_type=code&client_id="),
        "{page}"
    );
    assert_eq!(stage.get(&page, &[]).status(), 200);
}

#[test]
fn post_takes_the_same_parameters_as_a_form() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let (path, query) = url.split_once('?').expect("a query");
    let content_type = ("content-type", "application/x-www-form-urlencoded");
    let posted = stage.post(path, query, &[content_type]);
    assert_eq!(location(&posted), format!("/login?{query}"));
}

#[test]
fn success_returns_code_state_verbatim_and_life_of_the_code() {
    let mut stage = Stage::new();
    let callback = stage.callback();
    assert!(
        callback
            .location()
            .starts_with(&format!("{REDIRECT_URI}?code="))
    );
    assert_eq!(callback.param("state").as_deref(), Some("st at&e"));
    assert_eq!(callback.param("expires_in").as_deref(), Some("60"));
    assert_eq!(callback.param("error"), None);
}

#[test]
fn consent_is_asked_the_first_time_only() {
    let mut stage = Stage::new();
    let (page, first) = submit(&mut stage, &[]);
    assert_eq!(first.status(), 200);
    let consent = page.replacen("/login", "/login/consent", 1);
    let body = [("ticket", &*ticket(&html(&first))), ("action", "allow")];
    assert_eq!(stage.post_form(&consent, &body, None).status(), 302);

    let (_, second) = submit(&mut stage, &[]);
    assert!(location(&second).contains("code="), "no second question");
    let (_, asked) = submit(&mut stage, &[("prompt", "consent")]);
    assert_eq!(asked.status(), 200, "unless the app asks for it");
}

#[test]
fn denying_returns_access_denied() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let denied = stage
        .platform
        .deny(&url, ADA, stage.now)
        .expect("a callback");
    assert_eq!(denied.param("error").as_deref(), Some("access_denied"));
    assert_eq!(
        denied.param("error_description").as_deref(),
        Some("The user denied access to your application")
    );
    assert_eq!(denied.param("state").as_deref(), Some("st at&e"));
    assert_eq!(denied.param("code"), None);

    stage.callback();
    let cancelled = stage
        .platform
        .deny(&url, ADA, stage.now)
        .expect("a callback");
    assert_eq!(cancelled.param("error").as_deref(), Some("access_denied"));
    assert_eq!(stage.platform.counters(stage.now).denials, 2);
}

#[test]
fn a_wrong_password_shows_the_page_again_and_gives_no_code() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let page = location(&stage.get(&url, &[]));
    let response = stage.post_form(&page, &[("login", ADA), ("password", "wrong")], None);
    assert_eq!(response.status(), 400);
    let text = html(&response);
    assert!(text.contains("do not match"));
    assert!(!text.contains(r#"name="ticket""#));
}

#[test]
fn login_hint_fills_in_the_login() {
    let mut stage = Stage::new();
    let hint = [("login_hint", "grace@acme.example")];
    let page = location(&{
        let url = stage.authorize_url(&hint);
        stage.get(&url, &[])
    });
    let text = html(&stage.get(&page, &[]));
    assert!(text.contains(r#"value="grace@acme.example""#));
    assert!(text.contains(r#"value="Compiler-1952""#));

    let stranger = stage.authorize_url(&[("login_hint", "\"><script>alert(1)</script>")]);
    let page = location(&stage.get(&stranger, &[]));
    let text = html(&stage.get(&page, &[]));
    assert!(!text.contains("<script"), "hints are escaped");
}

#[test]
fn tickets_cannot_be_forged_moved_or_kept() {
    let mut stage = Stage::new();
    let (page, first) = submit(&mut stage, &[]);
    let ticket = ticket(&html(&first));
    let consent = page.replacen("/login", "/login/consent", 1);
    let allow = |ticket: &str| form(&[("ticket", ticket), ("action", "allow")]);
    let post = |stage: &mut Stage, uri: &str, body: &str| stage.post(uri, body, &[]).status();

    let other_user = ticket.replacen('0', "1", 1);
    assert_eq!(post(&mut stage, &consent, &allow(&other_user)), 400);
    assert_eq!(post(&mut stage, &consent, &allow("")), 400);
    let other_request = format!("{consent}&nonce=x");
    assert_eq!(post(&mut stage, &other_request, &allow(&ticket)), 400);
    stage.pass(secs(600));
    assert_eq!(post(&mut stage, &consent, &allow(&ticket)), 400);
}

#[test]
fn unset_options_sent_empty_count_as_absent() {
    let mut stage = Stage::new();
    let empty = [
        "scope",
        "brand_id",
        "display",
        "prompt",
        "ui_options",
        "ui_locales",
        "localeId",
    ];
    let mut pairs: Vec<(&str, &str)> = empty.iter().map(|name| (*name, "")).collect();
    pairs.extend([
        ("code_challenge", ""),
        ("ui_options", "a"),
        ("ui_options", "b"),
    ]);
    let url = stage.authorize_url(&pairs);
    assert!(
        stage
            .platform
            .sign_in(&url, ADA, stage.now)
            .expect("a callback")
            .param("code")
            .is_some()
    );
}

#[test]
fn errors_about_the_client_are_shown_and_never_redirected() {
    let mut config = crate::stage::demo();
    config.apps.push(App::confidential(
        "Without URI",
        "app-without-uri",
        "secret",
    ));
    config.apps.push(
        App::confidential("Two URIs", "app-two-uris", "secret")
            .redirect_uri(REDIRECT_URI)
            .redirect_uri("http://localhost:8080/other"),
    );
    let mut stage = Stage::of(config);
    let id = stage.client_id();
    for (client, redirect, error, code) in [
        ("unknown", Some(REDIRECT_URI), "invalid_client", "OAU-153"),
        ("", Some(REDIRECT_URI), "invalid_client", "OAU-153"),
        (
            &id,
            Some("https://evil.example/"),
            "invalid_grant",
            "OAU-109",
        ),
        (
            &id,
            Some("http://localhost:8080/oauth/callback/"),
            "invalid_grant",
            "OAU-109",
        ),
        (
            &id,
            Some("http://LOCALHOST:8080/oauth/callback"),
            "invalid_grant",
            "OAU-109",
        ),
        (
            &id,
            Some("http://localhost:8080/oauth/callback?x=1"),
            "invalid_grant",
            "OAU-109",
        ),
        (
            "app-without-uri",
            Some(REDIRECT_URI),
            "invalid_client",
            "OAU-113",
        ),
        ("app-without-uri", None, "invalid_client", "OAU-113"),
        ("app-two-uris", None, "invalid_grant", "OAU-109"),
    ] {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", client),
            ("state", "s"),
        ];
        pairs.extend(redirect.map(|uri| ("redirect_uri", uri)));
        let query = form(&pairs);
        for path in ["/restapi/oauth/authorize", "/login"] {
            let response = stage.get(&format!("{path}?{query}"), &[]);
            assert_eq!(
                refusal(&response),
                refused(403, error, code),
                "{path}?{query}"
            );
            assert!(response.headers().get("location").is_none());
            let page = stage.get(&format!("{path}?{query}"), &[("accept", "text/html")]);
            assert_eq!(page.status(), 403);
            assert!(html(&page).contains(code), "people get a page");
        }
    }
}

#[test]
fn the_only_registered_redirect_uri_may_be_left_out() {
    let mut stage = Stage::new();
    let id = stage.client_id();
    let url = format!(
        "/restapi/oauth/authorize?{}",
        form(&[("response_type", "code"), ("client_id", &id)])
    );
    let callback = stage
        .platform
        .sign_in(&url, ADA, stage.now)
        .expect("a callback");
    assert!(callback.location().starts_with(REDIRECT_URI));
    assert_eq!(callback.param("state"), None);
    let code = callback.param("code").expect("a code");
    let without = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
    ];
    assert_eq!(stage.token(&without).status(), 200);
}

#[test]
fn other_errors_are_redirected_with_the_state() {
    let mut config = crate::stage::demo();
    config.apps[1].allowed_grants.clear();
    let mut stage = Stage::of(config);
    let (id, public) = (stage.client_id(), stage.public_client_id());
    let code = ("response_type", "code");
    for (client, more, error) in [
        (&id, vec![], "invalid_request"),
        (
            &id,
            vec![("response_type", "token")],
            "unsupported_response_type",
        ),
        (&id, vec![code, code], "invalid_request"),
        (
            &id,
            vec![code, ("scope", "ReadAccounts Everything")],
            "invalid_scope",
        ),
        (
            &id,
            vec![code, ("code_challenge", "short")],
            "invalid_request",
        ),
        (
            &id,
            vec![code, ("code_challenge_method", "S256")],
            "invalid_request",
        ),
        (&id, vec![code, ("prompt", "none")], "login_required"),
        (&id, vec![code, ("prompt", "none login")], "invalid_request"),
        (&id, vec![code, ("prompt", "dance")], "invalid_request"),
        (&public, vec![code], "unauthorized_client"),
    ] {
        let mut pairs = vec![
            ("client_id", client.as_str()),
            ("redirect_uri", REDIRECT_URI),
        ];
        pairs.extend([("state", "s t")]);
        pairs.extend(more.clone());
        let response = stage.get(&format!("/restapi/oauth/authorize?{}", form(&pairs)), &[]);
        let target = location(&response);
        assert!(
            target.starts_with(&format!("{REDIRECT_URI}?error={error}&")),
            "{more:?}: {target}"
        );
        assert!(
            target.contains("error_description=") && target.ends_with("&state=s+t"),
            "{target}"
        );
    }
}

#[test]
fn a_public_app_needs_a_challenge() {
    let mut stage = Stage::new();
    let id = stage.public_client_id();
    let pairs = [
        ("response_type", "code"),
        ("client_id", &*id),
        ("redirect_uri", REDIRECT_URI),
    ];
    let response = stage.get(&format!("/restapi/oauth/authorize?{}", form(&pairs)), &[]);
    assert!(location(&response).contains("error=invalid_request"));
}

#[test]
fn a_state_that_came_twice_is_not_echoed() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[("state", "second")]);
    let target = location(&stage.get(&url, &[]));
    assert!(
        target.contains("error=invalid_request") && !target.contains("state="),
        "{target}"
    );
}

#[test]
fn pages_keep_to_a_strict_policy() {
    let mut stage = Stage::new();
    let (_, consent) = submit(&mut stage, &[]);
    let url = stage.authorize_url(&[]);
    let page = location(&stage.get(&url, &[]));
    let sign_in = stage.get(&page, &[]);
    let refusal = stage.get("/login", &[("accept", "text/html")]);
    for response in [sign_in, consent, refusal] {
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .expect("text");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action "));
        assert!(!policy.contains("unsafe"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        let text = html(&response);
        assert!(text.contains("Simulated RingCentral"));
        assert!(
            !text.contains("<script") && !text.contains("style="),
            "{text}"
        );
    }
}

#[test]
fn pages_look_as_recorded() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let page = location(&stage.get(&url, &[]));
    insta::assert_snapshot!("sign_in_page", html(&stage.get(&page, &[])));
    let (_, consent) = submit(&mut stage, &[]);
    insta::assert_snapshot!("consent_page", html(&consent));
    let refusal = stage.get("/login?client_id=%3Cb%3E", &[("accept", "text/html")]);
    insta::assert_snapshot!("refusal_page", html(&refusal));
}
