//! Who may sign in and stay signed in, and for how long at most.

use rc_sim::AllowedGrant;

use super::stage::*;

const TOKEN: &str = "/restapi/oauth/token";

#[test]
fn no_refresh_passes_the_absolute_limit() {
    let mut stage = Stage::with(|switches| switches.session_limits.absolute = Some(secs(5_000)));
    let code = stage.code();
    let response = stage.exchange(&code);
    let body = json(&response);
    assert_eq!(body["session_expires_in"], 4_999);
    assert_eq!(
        body["session_expiration_time"],
        stage.now.plus(secs(5_000)).to_string()
    );
    assert_eq!(body["refresh_token_expires_in"], 4_999);
    stage.pass(secs(3_000));
    let second = pair(&stage.refresh(&pair(&response).refresh));
    stage.pass(secs(1_999));
    assert_eq!(stage.call(&second.access).status(), 200);
    stage.pass(secs(1));
    assert_eq!(refusal(&stage.call(&second.access)).2, "OAU-128");
    assert_eq!(
        refusal(&stage.refresh(&second.refresh)),
        refused(400, "invalid_grant", "OAU-210")
    );
}

#[test]
fn calls_and_refreshes_keep_an_idle_session_alive() {
    let mut stage = Stage::with(|switches| switches.session_limits.idle = Some(secs(1_000)));
    let code = stage.code();
    let response = stage.exchange(&code);
    assert_eq!(json(&response)["session_idle_timeout"], 1_000);
    let first = pair(&response);
    stage.pass(secs(900));
    assert_eq!(stage.call(&first.access).status(), 200);
    stage.pass(secs(900));
    let second = pair(&stage.refresh(&first.refresh));
    stage.pass(secs(999));
    assert_eq!(stage.call(&second.access).status(), 200);
    stage.pass(secs(1_000));
    assert_eq!(refusal(&stage.call(&second.access)).2, "OAU-128");
    assert_eq!(refusal(&stage.refresh(&second.refresh)).2, "OAU-210");
}

#[test]
fn without_limits_answers_do_not_speak_of_them() {
    let mut stage = Stage::new();
    let code = stage.code();
    let body = json(&stage.exchange(&code));
    for member in [
        "session_expires_in",
        "session_expiration_time",
        "session_idle_timeout",
    ] {
        assert!(body.get(member).is_none(), "{member}");
    }
}

#[test]
fn a_role_without_third_party_apps_cannot_sign_in() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let refused = stage
        .platform
        .sign_in(&url, "nora@acme.example", stage.now)
        .expect_err("no callback")
        .to_string();
    assert!(
        refused.contains("403") && refused.contains("ThirdPartyAppAccess"),
        "{refused}"
    );
}

#[test]
fn a_disabled_extension_or_account_cannot_sign_in() {
    let mut stage = Stage::new();
    let url = stage.authorize_url(&[]);
    let refused = stage
        .platform
        .sign_in(&url, "dora@acme.example", stage.now)
        .expect_err("no callback")
        .to_string();
    assert!(refused.contains("OAU-141"), "{refused}");

    let mut config = demo();
    config.account.enabled = false;
    let mut stage = Stage::of(config);
    let refused = stage
        .platform
        .sign_in(&url, ADA, stage.now)
        .expect_err("no callback")
        .to_string();
    assert!(refused.contains("OAU-142"), "{refused}");
}

#[test]
fn a_session_that_another_sign_in_replaced_is_not_found_but_a_revoked_one_is_revoked() {
    let mut stage = Stage::with(|switches| switches.sessions_per_extension_and_app = 1);
    let first = stage.sign_in();
    let second = stage.sign_in();
    assert_eq!(refusal(&stage.refresh(&first.refresh)).2, "OAU-213");
    assert!(stage.platform.end_session(&second.access));
    assert_eq!(refusal(&stage.refresh(&second.refresh)).2, "OAU-211");
}

#[test]
fn a_refresh_may_narrow_the_scope_and_widen_it_again() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let narrowed = stage.token(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &first.refresh),
        ("scope", "SMS"),
    ]);
    assert_eq!(json(&narrowed)["scope"], "SMS");
    let narrowed = pair(&narrowed);
    assert_eq!(refusal(&stage.call(&narrowed.access)).2, "CMN-401");

    let beyond = stage.token(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &narrowed.refresh),
        ("scope", "SMS Faxes"),
    ]);
    assert_eq!(refusal(&beyond), refused(400, "invalid_scope", "CMN-101"));
    let whole = pair(&stage.refresh(&narrowed.refresh));
    assert_eq!(stage.call(&whole.access).status(), 200);
}

#[test]
fn a_scope_beyond_the_codes_is_refused_and_spends_nothing() {
    let mut stage = Stage::new();
    let code = stage.code();
    let form = |scope| {
        [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("scope", scope),
        ]
    };
    let beyond = stage.token(&form("Faxes"));
    assert_eq!(refusal(&beyond), refused(400, "invalid_scope", "CMN-101"));
    assert_eq!(
        json(&stage.token(&form("ReadMessages")))["scope"],
        "ReadMessages"
    );
}

#[test]
fn a_query_that_differs_from_the_body_is_refused() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", mine.refresh.as_str()),
    ];
    let header = stage.basic();
    let response = stage.post_form(
        &format!("{TOKEN}?grant_type=authorization_code"),
        &pairs,
        Some(&header),
    );
    assert_eq!(
        refusal(&response),
        refused(400, "invalid_request", "OAU-150")
    );
    let same = format!("{TOKEN}?grant_type=refresh_token");
    pair(&stage.post_form(&same, &pairs, Some(&header)));
}

#[test]
fn stray_characters_make_a_basic_header_malformed() {
    let mut stage = Stage::new();
    let id = stage.client_id();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for (id, secret) in [
        (id.as_str(), "secret\n"),
        (id.as_str(), "\"secret\""),
        ("client id", "secret"),
    ] {
        let response = stage.post_form(TOKEN, &pairs, Some(&basic(id, secret)));
        assert_eq!(
            refusal(&response),
            refused(400, "invalid_client", "OAU-156"),
            "{id:?} {secret:?}"
        );
    }
}

#[test]
fn an_app_may_do_without_a_grant() {
    let mut config = demo();
    config.apps[0].allowed_grants = vec![AllowedGrant::AuthorizationCode];
    let mut stage = Stage::of(config);
    let mine = stage.sign_in();
    assert_eq!(refusal(&stage.refresh(&mine.refresh)).2, "OAU-251");
}
