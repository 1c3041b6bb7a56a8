//! Clients that prove themselves by a signed assertion, end to end at the token and revocation endpoints.

use bytes::Bytes;
use http::Response;
use rc_sim::App;
use serde_json::{Value, json};

use crate::{
    signing::{client_key_set, hs256, rs256},
    stage::{REDIRECT_URI, Stage, demo, pair, refusal, refused, secs, text},
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const TOKEN: &str = "/restapi/oauth/token";
const REVOKE: &str = "/restapi/oauth/revoke";
const AUDIENCE: &str = "http://localhost/restapi/oauth/token";
const APP: &str = "key-pair-app";

fn claims(stage: &Stage, client_id: &str, jti: &str) -> Value {
    let now = stage.now.millis() / 1000;
    json!({
        "iss": client_id, "sub": client_id, "aud": AUDIENCE, "jti": jti, "iat": now,
        "exp": now + 60,
    })
}

/// The demo with one more app, which has registered a key set.
fn stage() -> Stage {
    let mut config = demo();
    let app = App::private_key_jwt("With keys", APP, &client_key_set()).expect("a key set");
    let app = app.redirect_uri(REDIRECT_URI).issue_refresh_tokens(true);
    config.apps.push(app);
    Stage::of(config)
}

fn secret(stage: &Stage) -> String {
    let app = stage.platform.config().confidential_app();
    let secret = app.and_then(|app| app.client_secret());
    secret.expect("a secret").to_owned()
}

fn send(stage: &mut Stage, uri: &str, pairs: &[(&str, &str)], assertion: &str) -> Response<Bytes> {
    let mut all = vec![
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    all.extend(pairs);
    stage.post_form(uri, &all, None)
}

/// What an assertion comes to when it is not the refresh token's fault.
fn outcome(stage: &mut Stage, uri: &str, assertion: &str) -> (u16, String, String) {
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "unknown"),
        ("token", "unknown"),
    ];
    let response = send(stage, uri, &pairs, assertion);
    if response.status() == 200 {
        return (200, String::new(), String::new());
    }
    refusal(&response)
}

fn code_of(stage: &mut Stage, client_id: &str) -> String {
    let url = format!("/restapi/oauth/authorize?response_type=code&client_id={client_id}");
    let callback = stage.platform.sign_in(&url, crate::stage::ADA, stage.now);
    let code = callback.expect("a callback").param("code");
    code.expect("a code")
}

/// Signs in, refreshes and revokes with assertions that `sign` makes.
fn whole_life(stage: &mut Stage, client_id: &str, sign: impl Fn(&Value) -> String) {
    let code = code_of(stage, client_id);
    let pairs = [("grant_type", "authorization_code"), ("code", &*code)];
    let assertion = sign(&claims(stage, client_id, "1"));
    let first = pair(&send(stage, TOKEN, &pairs, &assertion));
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*first.refresh),
        ("client_id", client_id),
    ];
    let mut of_issuer = claims(stage, client_id, "2");
    of_issuer["aud"] = json!(["https://other.example", "http://localhost"]);
    let second = pair(&send(stage, TOKEN, &pairs, &sign(&of_issuer)));
    assert_eq!(stage.call(&second.access).status(), 200);
    let assertion = sign(&claims(stage, client_id, "3"));
    let revoked = send(stage, REVOKE, &[("token", &second.access)], &assertion);
    assert_eq!((revoked.status().as_u16(), revoked.body().len()), (200, 0));
    assert_eq!(refusal(&stage.call(&second.access)).2, "OAU-213");
}

#[test]
fn client_secret_jwt_serves_a_whole_session() {
    let mut stage = stage();
    let (client_id, secret) = (stage.client_id(), secret(&stage));
    whole_life(&mut stage, &client_id, |claims| hs256(claims, &secret));
}

#[test]
fn private_key_jwt_serves_a_whole_session() {
    let mut stage = stage();
    whole_life(&mut stage, APP, rs256);
}

#[test]
fn an_assertion_is_used_once_wherever_it_is_used() {
    let mut stage = stage();
    let assertion = rs256(&claims(&stage, APP, "once"));
    assert_eq!(outcome(&mut stage, TOKEN, &assertion).2, "OAU-213");
    assert_eq!(
        outcome(&mut stage, TOKEN, &assertion),
        refused(400, "invalid_client", "OAU-146")
    );
    assert_eq!(outcome(&mut stage, REVOKE, &assertion).2, "OAU-164");
    let other = rs256(&claims(&stage, APP, "again"));
    assert_eq!(outcome(&mut stage, REVOKE, &other).0, 200);
    assert_eq!(outcome(&mut stage, TOKEN, &other).2, "OAU-146");
    let secret = secret(&stage);
    let same_id = hs256(&claims(&stage, &stage.client_id(), "once"), &secret);
    assert_eq!(
        outcome(&mut stage, TOKEN, &same_id).2,
        "OAU-213",
        "ids are each client's own"
    );
}

#[test]
fn claims_that_do_not_fit_are_refused_and_spend_nothing() {
    let mut stage = stage();
    let now = stage.now.millis() / 1000;
    for (member, value) in [
        ("aud", json!("https://other.example/restapi/oauth/token")),
        ("aud", json!("http://localhost/restapi/oauth/revoke")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("somebody")),
        ("exp", json!(now)),
        ("exp", json!(now + 2 * 3600)),
        ("iat", json!(now + 120)),
        ("nbf", json!(now + 120)),
        ("jti", json!("")),
        ("jti", Value::Null),
    ] {
        let mut spoiled = claims(&stage, APP, "kept");
        spoiled[member] = value;
        assert_eq!(
            outcome(&mut stage, TOKEN, &rs256(&spoiled)),
            refused(400, "invalid_client", "OAU-146"),
            "{spoiled}"
        );
    }
    let good = rs256(&claims(&stage, APP, "kept"));
    assert_eq!(outcome(&mut stage, TOKEN, &good).2, "OAU-213");
}

#[test]
fn the_registered_method_alone_is_accepted() {
    let mut stage = stage();
    let (id, secret) = (stage.client_id(), secret(&stage));
    let public = stage.public_client_id();
    let hs_of_keys = hs256(&claims(&stage, APP, "1"), &client_key_set());
    let rs_of_secret = rs256(&claims(&stage, &id, "2"));
    for (assertion, code) in [
        (hs_of_keys, "OAU-347"),
        (rs_of_secret, "OAU-347"),
        (hs256(&claims(&stage, &id, "3"), "wrong"), "OAU-146"),
        (hs256(&claims(&stage, &public, "4"), ""), "OAU-146"),
        (rs256(&claims(&stage, "unknown-app", "5")), "OAU-153"),
        ("garbage".into(), "OAU-331"),
        (hs256(&claims(&stage, &id, "6"), &secret), "OAU-213"),
    ] {
        assert_eq!(outcome(&mut stage, TOKEN, &assertion).2, code);
    }
    let basic = crate::stage::basic(APP, &client_key_set());
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let response = stage.post_form(TOKEN, &pairs, Some(&basic));
    assert_eq!(response.status(), 400);
    let by_id = [pairs[0], pairs[1], ("client_id", APP)];
    assert_eq!(refusal(&stage.post_form(TOKEN, &by_id, None)).2, "OAU-123");
}

#[test]
fn one_method_at_a_time_and_one_client() {
    let mut stage = stage();
    let (id, secret) = (stage.client_id(), secret(&stage));
    let assertion = hs256(&claims(&stage, &id, "1"), &secret);
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "unknown"),
        ("client_assertion_type", TYPE),
        ("client_assertion", &*assertion),
    ];
    let basic = stage.basic();
    assert_eq!(
        refusal(&stage.post_form(TOKEN, &pairs, Some(&basic))).2,
        "OAU-123"
    );
    let mut with_id = pairs.to_vec();
    with_id.push(("client_id", APP));
    assert_eq!(
        refusal(&stage.post_form(TOKEN, &with_id, None)).2,
        "OAU-120"
    );
    let mut other_type = pairs;
    other_type[2].1 = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let response = stage.post_form(TOKEN, &other_type, None);
    assert_eq!(refusal(&response).2, "CMN-101");
    assert!(text(&response).contains(r#""parameterName":"client_assertion_type""#));
    assert_eq!(
        refusal(&stage.post_form(TOKEN, &pairs, None)).2,
        "OAU-213",
        "none of them spent it"
    );
}

#[test]
fn the_time_is_the_one_that_the_platform_tells() {
    let mut stage = stage();
    stage.platform.skew_clock(-3_600_000);
    let of_my_clock = rs256(&claims(&stage, APP, "1"));
    assert_eq!(outcome(&mut stage, TOKEN, &of_my_clock).2, "OAU-146");
    let mut told = claims(&stage, APP, "2");
    let now = stage.now.millis() / 1000 - 3600;
    told["iat"] = json!(now);
    told["exp"] = json!(now + 60);
    assert_eq!(outcome(&mut stage, TOKEN, &rs256(&told)).2, "OAU-213");
    stage.pass(secs(60));
    told["jti"] = json!("3");
    assert_eq!(outcome(&mut stage, TOKEN, &rs256(&told)).2, "OAU-146");
}

#[test]
fn a_key_set_without_rsa_keys_is_no_key_set() {
    for key_set in ["", "{}", "[]", r#"{"keys":[{"kty":"EC","x":"a"}]}"#] {
        assert!(
            App::private_key_jwt("x", "x", key_set).is_err(),
            "{key_set}"
        );
    }
}
