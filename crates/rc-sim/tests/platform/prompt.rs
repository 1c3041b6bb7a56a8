//! How much the user of a browser is asked: silently signed in, known, on two pages; and what authorization
//! requests say of brand, display and callback.

use bytes::Bytes;
use http::{Response, header::SET_COOKIE};
use rc_sim::{KnownBrowser, SignInPages, Switches};

use crate::stage::{
    ADA, CHALLENGE, GRACE, REDIRECT_URI, Stage, form, hidden, json, location, pair, query_param,
    refusal, refused, secs, text,
};

const PASSWORD: &str = "Engine-1843";
const SILENTLY: [(&str, &str); 1] = [("prompt", "none")];

fn set_cookie(response: &Response<Bytes>) -> Option<String> {
    let cookie = response.headers().get(SET_COOKIE)?;
    Some(cookie.to_str().expect("text").to_owned())
}

/// The page of an authorization request.
fn page_of(stage: &mut Stage, more: &[(&str, &str)]) -> String {
    let url = stage.authorize_url(more);
    let page = location(&stage.get(&url, &[]));
    assert!(page.starts_with("/login?"), "{page}");
    page
}

fn submit(stage: &mut Stage, page: &str) -> Response<Bytes> {
    stage.post_form(page, &[("login", ADA), ("password", PASSWORD)], None)
}

fn allow(stage: &mut Stage, page: &str, consent: &Response<Bytes>) -> String {
    let ticket = hidden(&text(consent), "ticket");
    let body = [("ticket", ticket.as_str()), ("action", "allow")];
    let page = page.replacen("/login", "/login/consent", 1);
    location(&stage.post_form(&page, &body, None))
}

/// The cookie of a browser in which Ada signed in and gave consent.
fn known(stage: &mut Stage) -> String {
    let page = page_of(stage, &[]);
    let answer = submit(stage, &page);
    if answer.status() == 200 {
        allow(stage, &page, &answer);
    }
    let cookie = set_cookie(&answer).expect("a cookie");
    cookie.split(';').next().expect("a pair").to_owned()
}

/// Where the platform sends a browser with this cookie.
fn open(stage: &mut Stage, more: &[(&str, &str)], cookie: &str) -> String {
    let url = stage.authorize_url(more);
    location(&stage.get(&url, &[("cookie", cookie)]))
}

fn error(address: &str) -> String {
    assert!(address.starts_with(REDIRECT_URI), "{address}");
    assert_eq!(query_param(address, "state").as_deref(), Some("st at&e"));
    assert_eq!(query_param(address, "code"), None);
    query_param(address, "error").expect("an error")
}

fn code(address: &str) -> String {
    assert!(address.starts_with(REDIRECT_URI), "{address}");
    query_param(address, "code").expect("a code")
}

#[test]
fn silently_without_a_browser_session_is_login_required() {
    let mut stage = Stage::new();
    known(&mut stage);
    for cookie in [
        "",
        "rc-sim-session=",
        "rc-sim-session=12133895101.1800000000000.forged",
        "other=1",
    ] {
        let address = open(&mut stage, &SILENTLY, cookie);
        assert_eq!(error(&address), "login_required", "{cookie}");
    }
}

#[test]
fn a_browser_session_cannot_be_made_that_of_somebody_else_or_longer() {
    let mut stage = Stage::new();
    let cookie = known(&mut stage);
    for (from, to) in [
        ("12133895101", "12133895102"),
        ("1800000000000", "1800000000001"),
    ] {
        let forged = cookie.replacen(from, to, 1);
        assert_ne!(forged, cookie);
        let address = open(&mut stage, &SILENTLY, &forged);
        assert_eq!(error(&address), "login_required");
    }
}

#[test]
fn silently_with_a_browser_session_gives_a_code_and_no_page() {
    let mut stage = Stage::new();
    let cookie = known(&mut stage);
    let among_others = format!("theme=dark; {cookie}; x=y");
    let address = open(&mut stage, &SILENTLY, &among_others);
    assert_eq!(query_param(&address, "state").as_deref(), Some("st at&e"));
    let code = code(&address);
    let body = json(&stage.exchange(&code));
    assert_eq!(body["owner_id"], "12133895101");

    let url = stage.authorize_url(&SILENTLY);
    let page = url.replacen("/restapi/oauth/authorize", "/login", 1);
    let address = location(&stage.get(&page, &[]));
    assert_eq!(error(&address), "login_required", "the page is not shown");
}

#[test]
fn silently_without_consent_is_interaction_required() {
    let mut stage = Stage::new();
    let page = page_of(&mut stage, &[]);
    let answer = submit(&mut stage, &page);
    let cookie = set_cookie(&answer).expect("signed in before consent");
    let address = open(&mut stage, &SILENTLY, &cookie);
    assert_eq!(error(&address), "interaction_required");
    allow(&mut stage, &page, &answer);
    code(&open(&mut stage, &SILENTLY, &cookie));

    let public = stage.public_client_id();
    let pairs = [
        ("response_type", "code"),
        ("client_id", &*public),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("prompt", "none"),
    ];
    let url = format!("/restapi/oauth/authorize?{}", form(&pairs));
    let address = location(&stage.get(&url, &[("cookie", &*cookie)]));
    let error = query_param(&address, "error");
    assert_eq!(error.as_deref(), Some("interaction_required"), "per app");
}

#[test]
fn sessions_ended_by_hand_end_those_of_the_users_browsers() {
    let mut stage = Stage::new();
    let cookie = known(&mut stage);
    stage.platform.end_user_sessions(GRACE);
    stage.platform.end_all_sessions();
    code(&open(&mut stage, &SILENTLY, &cookie));
    stage.platform.end_user_sessions(ADA);
    assert_eq!(
        error(&open(&mut stage, &SILENTLY, &cookie)),
        "login_required"
    );
    let again = known(&mut stage);
    code(&open(&mut stage, &SILENTLY, &again));
}

#[test]
fn a_browser_session_runs_out() {
    let mut stage = Stage::new();
    let cookie = known(&mut stage);
    stage.pass(secs(8 * 3600 - 1));
    code(&open(&mut stage, &SILENTLY, &cookie));
    stage.pass(secs(1));
    assert_eq!(
        error(&open(&mut stage, &SILENTLY, &cookie)),
        "login_required",
        "a silent sign-in does not make it longer"
    );
}

#[test]
fn the_cookie_is_for_the_platform_alone_and_can_be_switched_off() {
    let mut stage = Stage::with(|switches| switches.browser_session = secs(90));
    let page = page_of(&mut stage, &[]);
    let cookie = set_cookie(&submit(&mut stage, &page)).expect("a cookie");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=90; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let wrong = [("login", ADA), ("password", "wrong")];
    assert_eq!(set_cookie(&stage.post_form(&page, &wrong, None)), None);
    let mut stage = Stage::with(|switches| switches.browser_session = secs(0));
    let page = page_of(&mut stage, &[]);
    assert_eq!(set_cookie(&submit(&mut stage, &page)), None);
}

#[test]
fn who_may_no_longer_sign_in_is_denied_silently() {
    let mut stage = Stage::new();
    let cookie = known(&mut stage);
    stage.platform.enable_user(ADA, false);
    assert_eq!(
        error(&open(&mut stage, &SILENTLY, &cookie)),
        "access_denied"
    );
}

fn skips(switches: &mut Switches) {
    switches.known_browser = KnownBrowser::SkipsSignIn;
}

#[test]
fn a_known_browser_skips_the_sign_in_page_only_where_that_is_switched_on() {
    for (skip, more, skipped) in [
        (false, [("ui_options", "")], false),
        (true, [("ui_options", "")], true),
        (true, [("prompt", "login sso")], true),
        (true, [("prompt", "login")], false),
        (true, [("force", "true")], false),
        (true, [("force", "false")], true),
    ] {
        let mut stage = Stage::with(|switches| {
            if skip {
                skips(switches);
            }
        });
        let cookie = known(&mut stage);
        let page = page_of(&mut stage, &more);
        let with_cookie = stage.get(&page, &[("cookie", &*cookie)]);
        if skipped {
            code(&location(&with_cookie));
        } else {
            assert_eq!(with_cookie.status(), 200, "{more:?}");
            assert!(text(&with_cookie).contains(r#"name="password""#));
        }
        assert_eq!(stage.get(&page, &[]).status(), 200, "an unknown browser");
    }
}

#[test]
fn a_known_browser_is_still_asked_for_consent() {
    let mut stage = Stage::with(skips);
    let cookie = known(&mut stage);
    let page = page_of(&mut stage, &[("prompt", "consent")]);
    let consent = stage.get(&page, &[("cookie", &*cookie)]);
    assert_eq!(consent.status(), 200);
    let code = code(&allow(&mut stage, &page, &consent));
    pair(&stage.exchange(&code));
    stage.platform.enable_user(ADA, false);
    let page = page_of(&mut stage, &[]);
    let answer = stage.get(&page, &[("cookie", &*cookie)]);
    assert!(text(&answer).contains(r#"name="password""#));
}

#[test]
fn on_two_pages_the_login_comes_first_and_the_password_second() {
    let mut stage = Stage::with(|switches| switches.sign_in_pages = SignInPages::Two);
    let page = page_of(&mut stage, &[("login_hint", GRACE)]);
    let first = text(&stage.get(&page, &[]));
    assert!(first.contains(r#"<input id="login""#) && first.contains(GRACE));
    assert!(!first.contains(r#"name="password""#));

    let second = stage.post_form(&page, &[("login", ADA)], None);
    assert_eq!((second.status().as_u16(), set_cookie(&second)), (200, None));
    let second = text(&second);
    assert!(second.contains(r#"name="password""#) && !second.contains(r#"<input id="login""#));
    let login = hidden(&second, "login");
    assert_eq!(login, ADA);
    let form = [("login", login.as_str()), ("password", PASSWORD)];
    let consent = stage.post_form(&page, &form, None);
    let code = code(&allow(&mut stage, &page, &consent));
    assert_eq!(json(&stage.exchange(&code))["owner_id"], "12133895101");
}

#[test]
fn the_second_page_does_not_tell_whether_a_login_exists() {
    let mut stage = Stage::with(|switches| {
        switches.sign_in_pages = SignInPages::Two;
        switches.prefill_sign_in = false;
    });
    let page = page_of(&mut stage, &[]);
    let mut second = |login: &str| {
        let answer = stage.post_form(&page, &[("login", login)], None);
        assert_eq!(answer.status(), 200);
        text(&answer).replace(login, "LOGIN")
    };
    assert_eq!(second("nobody@acme.example"), second(ADA));
    assert!(!second("\"><b>").contains("\"><b>"));
    let form = [("login", "nobody@acme.example"), ("password", "x")];
    let wrong = stage.post_form(&page, &form, None);
    assert_eq!(wrong.status(), 400);
    assert!(text(&wrong).contains("do not match") && text(&wrong).contains(r#"<input id="login""#));
}

#[test]
fn brands_name_the_page_and_unknown_ones_are_refused() {
    let mut stage = Stage::new();
    for (name, id, brand) in [
        ("brand_id", "3610", Some("with RingCentral Canada")),
        ("brandId", "6010", Some("with Avaya Cloud Office")),
        ("brand_id", "1210", None),
        ("brand_id", "", None),
    ] {
        let page = page_of(&mut stage, &[(name, id)]);
        let shown = text(&stage.get(&page, &[]));
        match brand {
            Some(brand) => assert!(shown.contains(brand), "{name}={id}"),
            None => assert!(!shown.contains("</strong> with "), "{name}={id}"),
        }
    }
    for name in ["brand_id", "brandId"] {
        let url = stage.authorize_url(&[(name, "9999")]);
        let answer = stage.get(&url, &[]);
        assert_eq!(
            refusal(&answer),
            refused(403, "invalid_request", "OAU-101"),
            "{name}"
        );
    }
}

#[test]
fn displays_are_those_documented_and_request_objects_are_not_supported() {
    let mut stage = Stage::new();
    for display in ["page", "popup", "touch", "mobile"] {
        page_of(&mut stage, &[("display", display)]);
    }
    for (name, value, expected) in [
        ("display", "wap", "invalid_request"),
        ("request", "a.b.c", "request_not_supported"),
        (
            "request_uri",
            "https://x.example/r",
            "request_uri_not_supported",
        ),
    ] {
        assert_eq!(error(&open(&mut stage, &[(name, value)], "")), expected);
    }
}

#[test]
fn the_callback_says_what_is_asked_for_and_no_more() {
    let mut stage = Stage::new();
    let mut extras = |more: &[(&str, &str)]| {
        let url = format!("http://sim.example:81{}", stage.authorize_url(more));
        let page = location(&stage.get(&url, &[]));
        let page = format!("http://sim.example:81{page}");
        let answer = submit(&mut stage, &page);
        let address = if answer.status() == 200 {
            allow(&mut stage, &page, &answer)
        } else {
            location(&answer)
        };
        code(&address);
        [
            "token_uri",
            "discovery_uri",
            "brand_id",
            "contracted_country_code",
        ]
        .map(|name| query_param(&address, name))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(extras(&[]), [None, None, None, None]);
    assert_eq!(extras(&[("discovery", "false")])[..2], [None, None]);
    let token_uri = some("http://sim.example:81/restapi/oauth/token");
    let external = some("http://sim.example:81/.well-known/entry-points/external");
    assert_eq!(
        extras(&[("discovery", "true")]),
        [token_uri, external, None, None]
    );
    assert_eq!(
        extras(&[("response_hint", "brand_id nonsense")]),
        [None, None, some("1210"), None]
    );
    let both = [
        ("brand_id", "3710"),
        ("response_hint", "brand_id contracted_country_code"),
    ];
    assert_eq!(extras(&both)[2..], [some("3710"), some("GB")]);
}
