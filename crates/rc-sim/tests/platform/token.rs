//! The token endpoint: who may ask, with what, and what the answers look like.

use rc_sim::{ErrorShape, ErrorStatuses};

use crate::stage::{
    ADA, CHALLENGE, EXTENSION, REDIRECT_URI, Stage, VERIFIER, basic, demo, form, json, pair,
    refusal, refused, secs,
};

const TOKEN: &str = "/restapi/oauth/token";

fn text(response: &http::Response<bytes::Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).expect("text")
}

#[test]
fn success_answers_look_as_recorded() {
    let mut stage = Stage::new();
    let code = stage.code();
    let response = stage.exchange(&code);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["pragma"], "no-cache");
    assert!(response.headers().contains_key("rcrequestid"));
    insta::assert_snapshot!("code_exchange", text(&response));
    let first = pair(&response);
    insta::assert_snapshot!("refresh", text(&stage.refresh(&first.refresh)));
}

#[test]
fn error_answers_look_as_recorded() {
    let mut stage = Stage::new();
    insta::assert_snapshot!("refused_refresh", text(&stage.refresh("unknown")));
    let unknown = basic("unknown-app", "secret");
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let response = stage.post_form(TOKEN, &pairs, Some(&unknown));
    assert!(response.headers().contains_key("www-authenticate"));
    insta::assert_snapshot!("unknown_client", text(&response));
}

#[test]
fn requests_that_are_refused() {
    let mut stage = Stage::new();
    for (pairs, error, code) in [
        (vec![], "invalid_request", "CMN-101"),
        (vec![("grant_type", "dance")], "invalid_request", "OAU-250"),
        (
            vec![("grant_type", "password")],
            "unauthorized_client",
            "OAU-251",
        ),
        (
            vec![("grant_type", "client_credentials")],
            "unauthorized_client",
            "OAU-251",
        ),
        (
            vec![("grant_type", "authorization_code")],
            "invalid_request",
            "CMN-101",
        ),
        (
            vec![("grant_type", "authorization_code"), ("code", "unknown")],
            "invalid_grant",
            "OAU-106",
        ),
        (
            vec![("grant_type", "refresh_token")],
            "invalid_request",
            "CMN-101",
        ),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "")],
            "invalid_request",
            "CMN-101",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", "a"),
                ("refresh_token", "b"),
            ],
            "invalid_request",
            "OAU-111",
        ),
    ] {
        let response = stage.token(&pairs);
        assert_eq!(refusal(&response), refused(400, error, code), "{pairs:?}");
    }
}

#[test]
fn anything_but_a_form_is_415() {
    let mut stage = Stage::new();
    let authorization = stage.basic();
    let body = form(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
    for content_type in [None, Some("application/json"), Some("text/plain")] {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(content_type.map(|value| ("content-type", value)));
        assert_eq!(
            stage.post(TOKEN, &body, &headers).status(),
            415,
            "{content_type:?}"
        );
    }
    let with_charset = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", with_charset),
    ];
    assert_eq!(refusal(&stage.post(TOKEN, &body, &headers)).2, "OAU-213");
}

#[test]
fn clients_that_are_refused() {
    let mut stage = Stage::new();
    let (id, public) = (stage.client_id(), stage.public_client_id());
    let in_body = |id: &str| vec![("client_id", id.to_owned())];
    for (name, authorization, more, code) in [
        ("nothing at all", None, vec![], "OAU-123"),
        (
            "confidential app without secret",
            None,
            in_body(&id),
            "OAU-123",
        ),
        ("unknown id in the body", None, in_body("nobody"), "OAU-153"),
        ("wrong secret", Some(basic(&id, "wrong")), vec![], "OAU-146"),
        (
            "Basic without secret",
            Some(basic(&id, "")),
            vec![],
            "OAU-153",
        ),
        (
            "unknown id",
            Some(basic("nobody", "secret")),
            vec![],
            "OAU-153",
        ),
        (
            "public app with Basic",
            Some(basic(&public, "secret")),
            vec![],
            "OAU-153",
        ),
        (
            "no colon",
            Some("Basic bm9jb2xvbg==".into()),
            vec![],
            "OAU-156",
        ),
        (
            "stray characters",
            Some("Basic \u{7f}!".replace('\u{7f}', "")),
            vec![],
            "OAU-156",
        ),
        (
            "another scheme",
            Some("Bearer token".into()),
            vec![],
            "OAU-156",
        ),
        (
            "another id in the body",
            Some(stage.basic()),
            in_body(&public),
            "OAU-120",
        ),
        (
            "secret in the body",
            None,
            vec![
                ("client_id", id.clone()),
                ("client_secret", "secret".into()),
            ],
            "OAU-153",
        ),
    ] {
        let mut pairs = vec![("grant_type", "refresh_token"), ("refresh_token", "x")];
        pairs.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
        let response = stage.post_form(TOKEN, &pairs, authorization.as_deref());
        assert_eq!(
            refusal(&response),
            refused(400, "invalid_client", code),
            "{name}"
        );
    }
}

#[test]
fn client_id_beside_basic_is_tolerated() {
    let mut stage = Stage::new();
    let first = stage.sign_in();
    let id = stage.client_id();
    let response = stage.token(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &first.refresh),
        ("client_id", &id),
    ]);
    assert_eq!(response.status(), 200);
}

#[test]
fn basic_credentials_may_be_form_encoded() {
    let mut config = demo();
    config
        .apps
        .push(rc_sim::App::confidential("Odd", "odd id", "s+c/r%t").redirect_uri(REDIRECT_URI));
    let mut stage = Stage::of(config);
    let pairs = [("grant_type", "authorization_code"), ("code", "x")];
    let header = basic("odd+id", "s%2Bc%2Fr%25t");
    assert_eq!(
        refusal(&stage.post_form(TOKEN, &pairs, Some(&header))).2,
        "OAU-106"
    );
}

#[test]
fn a_public_app_signs_in_refreshes_and_signs_out_with_pkce() {
    let mut stage = Stage::new();
    let id = stage.public_client_id();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &id),
        ("redirect_uri", REDIRECT_URI),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let url = format!("/restapi/oauth/authorize?{query}");
    let callback = stage
        .platform
        .sign_in(&url, ADA, stage.now)
        .expect("a callback");
    let code = callback.param("code").expect("a code");
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("client_id", &id),
    ];
    let first = pair(&stage.post_form(TOKEN, &exchange, None));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*first.refresh),
        ("client_id", &*id),
    ];
    let second = pair(&stage.post_form(TOKEN, &refresh, None));
    assert_eq!(stage.call(&second.access).status(), 200);
    let revoke = [("token", &*second.refresh), ("client_id", &*id)];
    assert_eq!(
        stage
            .post_form("/restapi/oauth/revoke", &revoke, None)
            .status(),
        200
    );
    assert_eq!(stage.call(&second.access).status(), 401);
}

#[test]
fn pkce_is_verified() {
    let plain = [("code_challenge", VERIFIER)];
    let s256 = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let wrong = "a".repeat(43);
    for (name, challenge, verifier, accepted) in [
        ("S256", s256.as_slice(), Some(VERIFIER), true),
        ("plain", plain.as_slice(), Some(VERIFIER), true),
        ("wrong verifier", &s256, Some(wrong.as_str()), false),
        ("challenge as verifier", &s256, Some(CHALLENGE), false),
        ("missing verifier", &s256, None, false),
        ("verifier without challenge", &[], Some(VERIFIER), false),
    ] {
        let mut stage = Stage::new();
        let url = stage.authorize_url(challenge);
        let callback = stage
            .platform
            .sign_in(&url, ADA, stage.now)
            .expect("a callback");
        let code = callback.param("code").expect("a code");
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
        ];
        pairs.push(("redirect_uri", REDIRECT_URI));
        pairs.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let response = stage.token(&pairs);
        if accepted {
            assert_eq!(response.status(), 200, "{name}");
        } else {
            assert_eq!(
                refusal(&response),
                refused(400, "invalid_grant", "OAU-106"),
                "{name}"
            );
        }
    }
}

#[test]
fn a_code_is_single_use_and_lives_60_s() {
    let mut stage = Stage::new();
    let used = stage.code();
    assert_eq!(stage.exchange(&used).status(), 200);
    assert_eq!(
        refusal(&stage.exchange(&used)),
        refused(400, "invalid_grant", "OAU-106")
    );

    let late = stage.code();
    stage.pass(secs(59));
    let just_in_time = stage.exchange(&late);
    assert_eq!(just_in_time.status(), 200);
    let late = stage.code();
    stage.pass(secs(60));
    assert_eq!(
        refusal(&stage.exchange(&late)),
        refused(400, "invalid_grant", "OAU-108")
    );
}

#[test]
fn a_code_belongs_to_its_app_and_redirect_uri() {
    let mut stage = Stage::new();
    let code = stage.code();
    let public = stage.public_client_id();
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", &*public),
    ];
    let response = stage.post_form(TOKEN, &pairs, None);
    assert_eq!(refusal(&response), refused(400, "invalid_grant", "OAU-110"));
    for uri in [Some("http://localhost:8080/oauth/callback/"), None] {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
        ];
        pairs.extend(uri.map(|uri| ("redirect_uri", uri)));
        assert_eq!(
            refusal(&stage.token(&pairs)),
            refused(400, "invalid_grant", "OAU-109")
        );
    }
    assert_eq!(
        stage.exchange(&code).status(),
        200,
        "refusals do not spend the code"
    );
}

#[test]
fn lives_are_clamped_and_never_refused() {
    for (access, refresh, expires_in, refresh_expires_in) in [
        ("1800", "302400", 1799, Some(302_399)),
        ("-1", "-1", 599, Some(604_799)),
        ("NaN", "NaN", 3599, Some(604_799)),
        ("999999", "9999999", 3599, Some(2_591_999)),
        ("600", "0", 599, None),
        ("", "", 3599, Some(604_799)),
    ] {
        let mut stage = Stage::new();
        let first = stage.sign_in();
        let body = json(&stage.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &first.refresh),
            ("access_token_ttl", access),
            ("refresh_token_ttl", refresh),
        ]));
        assert_eq!(body["expires_in"], expires_in, "{access}");
        assert_eq!(
            body["refresh_token_expires_in"].as_u64(),
            refresh_expires_in,
            "{refresh}"
        );
        assert_eq!(
            body["refresh_token"].is_string(),
            refresh_expires_in.is_some()
        );
    }
}

#[test]
fn a_configured_life_is_also_the_least() {
    let mut stage = Stage::with(|switches| {
        switches.token_life.access = secs(5);
        switches.token_life.reported_less = 0;
    });
    let first = stage.sign_in();
    let body = json(&stage.token(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &first.refresh),
        ("access_token_ttl", "4"),
    ]));
    assert_eq!(body["expires_in"], 5);
    let access = body["access_token"].as_str().expect("a token").to_owned();
    stage.pass(secs(5));
    assert_eq!(refusal(&stage.call(&access)).2, "OAU-128");
}

#[test]
fn no_answer_says_0_while_a_second_is_left() {
    let mut stage = Stage::with(|switches| switches.token_life.access = secs(1));
    let first = stage.sign_in();
    let body = json(&stage.refresh(&first.refresh));
    assert_eq!(body["expires_in"], 1);
    stage.pass(secs(1));
    assert_eq!(json(&stage.refresh(&first.refresh))["expires_in"], 0);
}

#[test]
fn scope_narrows_unless_it_is_switched_to_be_ignored() {
    let scope_of = |stage: &mut Stage| {
        let url = stage.authorize_url(&[("scope", "ReadMessages openid")]);
        let callback = stage
            .platform
            .sign_in(&url, ADA, stage.now)
            .expect("a callback");
        let code = callback.param("code").expect("a code");
        json(&stage.exchange(&code))
    };
    let mut stage = Stage::new();
    let body = scope_of(&mut stage);
    assert_eq!(body["scope"], "ReadMessages openid");
    let header = format!("bearer {}", body["access_token"].as_str().expect("a token"));
    let response = stage.get(EXTENSION, &[("authorization", &header)]);
    assert_eq!(refusal(&response), refused(403, "CMN-401", "CMN-401"));

    let ignored = rc_sim::ScopeParameter::Ignored;
    let mut stage = Stage::with(|switches| switches.scope_parameter = ignored);
    assert_eq!(
        scope_of(&mut stage)["scope"],
        "ReadAccounts ReadCallLog ReadMessages EditMessages SMS openid"
    );
}

#[test]
fn statuses_and_shape_can_follow_the_other_sources() {
    let mut stage = Stage::with(|switches| {
        switches.error_statuses = ErrorStatuses::GuideTable;
        switches.error_shape = ErrorShape::Bare;
    });
    let response = stage.exchange("unknown");
    assert_eq!(refusal(&response), refused(403, "invalid_grant", ""));
    assert!(json(&response).get("errors").is_none());
    let id = stage.client_id();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let response = stage.post_form(TOKEN, &pairs, Some(&basic(&id, "wrong")));
    assert_eq!(response.status(), 401);
    assert_eq!(
        stage
            .get("/restapi/oauth/authorize?client_id=x", &[])
            .status(),
        400
    );
}
