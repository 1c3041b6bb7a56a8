//! OpenID Connect: ID tokens, their keys, and userinfo.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::{
    signing::{claims, header, verified},
    stage::{
        ADA, Pair, REDIRECT_URI, Stage, header_of, json, location, pair, query_param, refusal,
        refused, secs,
    },
};

const JWKS: &str = "/restapi/oauth/jwks";
const USERINFO: &str = "/restapi/oauth/userinfo";
const EVERYTHING: &str = "openid email profile";

fn id_token(response: &Response<Bytes>) -> String {
    let body = json(response);
    body["id_token"].as_str().expect("an ID token").to_owned()
}

/// Exchanges the code of a sign-in with these parameters.
fn sign_in(stage: &mut Stage, more: &[(&str, &str)]) -> Response<Bytes> {
    let url = stage.authorize_url(more);
    let callback = stage.platform.sign_in(&url, ADA, stage.now);
    let code = callback.expect("a callback").param("code").expect("a code");
    stage.exchange(&code)
}

fn access(stage: &mut Stage, scope: &str) -> String {
    pair(&sign_in(stage, &[("scope", scope)])).access
}

fn jwks(stage: &mut Stage) -> Value {
    json(&stage.get(JWKS, &[]))
}

fn userinfo(stage: &mut Stage, access: &str) -> Response<Bytes> {
    stage.get(USERINFO, &[("authorization", &format!("Bearer {access}"))])
}

#[test]
fn an_id_token_is_signed_by_a_published_key_and_says_who_signed_in() {
    let mut stage = Stage::new();
    let response = sign_in(&mut stage, &[("scope", EVERYTHING), ("nonce", "n 1")]);
    let scope = json(&response)["scope"].clone();
    let scope = scope.as_str().expect("text");
    assert!(
        scope.contains("ReadAccounts") && scope.ends_with(EVERYTHING),
        "{scope}"
    );
    let token = id_token(&response);
    let keys = jwks(&mut stage);
    let mut said = verified(&token, &keys).expect("a published key");
    let now = stage.now.millis() / 1000;
    let jti = said["jti"].take();
    assert!(jti.as_str().is_some_and(|jti| jti.len() > 20));
    assert_eq!(
        said,
        json!({
            "iss": "http://localhost", "sub": "12133895101", "aud": stage.client_id(),
            "iat": now, "exp": now + 3600, "auth_time": now, "nonce": "n 1", "jti": null,
            "account_id": "12133895004", "email": ADA, "email_verified": true,
            "given_name": "Ada", "family_name": "Example",
        })
    );
    let key = &keys["keys"][0];
    assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("RS256")));
    assert!(key.get("d").is_none(), "no private part");
    let again = id_token(&sign_in(&mut stage, &[("scope", EVERYTHING)]));
    assert_ne!(claims(&again)["jti"], jti);
}

#[test]
fn claims_follow_the_scope() {
    let mut stage = Stage::new();
    for (scope, has, has_not) in [
        ("openid", &[][..], &["email", "given_name", "nonce"][..]),
        (
            "openid email",
            &["email", "email_verified"],
            &["given_name"],
        ),
        ("profile openid", &["given_name", "family_name"], &["email"]),
    ] {
        let said = claims(&id_token(&sign_in(&mut stage, &[("scope", scope)])));
        for name in has {
            assert!(said.get(name).is_some(), "{scope}: {name}");
        }
        for name in has_not {
            assert!(said.get(name).is_none(), "{scope}: {name}");
        }
    }
    for more in [&[][..], &[("scope", "email profile")], &[("nonce", "n")]] {
        let body = json(&sign_in(&mut stage, more));
        assert!(body.get("id_token").is_none(), "{more:?}");
    }
}

#[test]
fn a_refresh_brings_no_id_token_and_an_exchange_that_leaves_out_openid_neither() {
    let mut stage = Stage::new();
    let first = pair(&sign_in(&mut stage, &[("scope", EVERYTHING)]));
    assert!(
        json(&stage.refresh(&first.refresh))
            .get("id_token")
            .is_none()
    );
    let url = stage.authorize_url(&[("scope", EVERYTHING)]);
    let mut exchange = |scope: &str| {
        let callback = stage.platform.sign_in(&url, ADA, stage.now);
        let code = callback.expect("a callback").param("code").expect("a code");
        json(&stage.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("scope", scope),
        ]))
    };
    assert!(exchange("ReadAccounts").get("id_token").is_none());
    let narrowed = exchange("openid");
    let said = claims(narrowed["id_token"].as_str().expect("an ID token"));
    assert!(said.get("email").is_none());
}

#[test]
fn after_a_silent_sign_in_auth_time_is_when_the_password_was_typed() {
    let mut stage = Stage::new();
    sign_in(&mut stage, &[]);
    let typed_at = stage.now.millis() / 1000;
    let url = stage.authorize_url(&[]);
    let page = location(&stage.get(&url, &[]));
    let body = [("login", ADA), ("password", "Engine-1843")];
    let answer = stage.post_form(&page, &body, None);
    let cookie = header_of(&answer, "set-cookie")
        .expect("a cookie")
        .to_owned();
    let cookie = cookie.split(';').next().expect("a pair");
    stage.pass(secs(600));
    let silently = [("prompt", "none"), ("scope", "openid"), ("nonce", "s")];
    let url = stage.authorize_url(&silently);
    let address = location(&stage.get(&url, &[("cookie", cookie)]));
    let code = query_param(&address, "code").expect("a code");
    stage.pass(secs(5));
    let said = claims(&id_token(&stage.exchange(&code)));
    assert_eq!(said["auth_time"], typed_at);
    assert_eq!(said["iat"], typed_at + 605);
    assert_eq!(said["nonce"], "s");
}

#[test]
fn a_replaced_key_stays_published_until_the_next_replacement() {
    let mut stage = Stage::new();
    let openid = [("scope", "openid")];
    let first = id_token(&sign_in(&mut stage, &openid));
    let rotate = |stage: &mut Stage, rotations: u32| {
        let answer = stage.control("POST", "signing-key/rotate", &Value::Null, &[]);
        assert_eq!(answer, (200, json!({ "rotations": rotations })));
        jwks(stage)
    };
    assert_eq!(jwks(&mut stage)["keys"].as_array().map(Vec::len), Some(1));
    let keys = rotate(&mut stage, 1);
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
    let second = id_token(&sign_in(&mut stage, &openid));
    assert_ne!(header(&first)["kid"], header(&second)["kid"]);
    assert!(verified(&first, &keys).is_some() && verified(&second, &keys).is_some());
    let keys = rotate(&mut stage, 2);
    assert!(verified(&first, &keys).is_none() && verified(&second, &keys).is_some());
    let jwt = stage.platform.personal_jwt(ADA).expect("a user");
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    pair(&stage.token(&[("grant_type", grant), ("assertion", &jwt)]));
}

#[test]
fn userinfo_tells_what_the_scope_allows() {
    let mut stage = Stage::new();
    let everything = access(&mut stage, EVERYTHING);
    let response = userinfo(&mut stage, &everything);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        json(&response),
        json!({
            "sub": "12133895101", "account_id": "12133895004", "email": ADA,
            "email_verified": true, "given_name": "Ada", "family_name": "Example",
        })
    );
    assert_eq!(
        json(&stage.send("POST", USERINFO, &everything, "")),
        json(&response)
    );
    let bare = access(&mut stage, "openid");
    assert_eq!(
        json(&userinfo(&mut stage, &bare)),
        json!({ "sub": "12133895101", "account_id": "12133895004" })
    );
}

#[test]
fn userinfo_needs_openid_unless_that_is_switched_off() {
    let mut stage = Stage::new();
    let without = access(&mut stage, "ReadAccounts");
    let response = userinfo(&mut stage, &without);
    assert_eq!(
        refusal(&response),
        refused(403, "InsufficientScope", "OAU-117")
    );
    stage
        .platform
        .patch_switches(json!({ "userinfo_needs_openid": false }))
        .expect("a switch");
    let said = json(&userinfo(&mut stage, &without));
    assert_eq!(
        (&said["email"], &said["given_name"]),
        (&json!(ADA), &json!("Ada"))
    );
}

#[test]
fn userinfo_refuses_tokens_as_resources_do() {
    let mut stage = Stage::new();
    let Pair { access, refresh } = pair(&sign_in(&mut stage, &[("scope", "openid")]));
    let bearer = format!("Bearer {access}");
    let basic = stage.basic();
    for (value, top, code) in [
        (None, "AGW-401", "AGW-401"),
        (Some(&*basic), "AGW-402", "AGW-402"),
        (Some("Bearer garbage"), "TokenInvalid", "OAU-149"),
    ] {
        let headers: Vec<_> = value
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let response = stage.get(USERINFO, &headers);
        assert_eq!(refusal(&response), refused(401, top, code));
        assert!(header_of(&response, "www-authenticate").is_some_and(|it| it.contains("realm=")));
    }
    stage.refresh(&refresh);
    let response = stage.get(USERINFO, &[("authorization", &bearer)]);
    assert_eq!(refusal(&response).2, "OAU-129");
    let other = self::access(&mut stage, "openid");
    stage.pass(secs(3600));
    assert_eq!(refusal(&userinfo(&mut stage, &other)).2, "OAU-128");
}

#[test]
fn userinfo_is_of_the_auth_group_and_documents_of_none() {
    let mut config = crate::stage::demo();
    config.switches.limits.enabled = true;
    config.switches.limits.count_authorize = false;
    let mut stage = Stage::of(config);
    let access = access(&mut stage, "openid");
    for left in ["3", "2", "1", "0"] {
        let response = userinfo(&mut stage, &access);
        assert_eq!(header_of(&response, "x-rate-limit-group"), Some("auth"));
        assert_eq!(header_of(&response, "x-rate-limit-remaining"), Some(left));
    }
    let response = userinfo(&mut stage, &access);
    assert_eq!(refusal(&response), refused(429, "CMN-301", "CMN-301"));
    assert_eq!(header_of(&response, "retry-after"), Some("60"));
    for _ in 0..20 {
        let response = stage.get(JWKS, &[]);
        assert_eq!(response.status(), 200);
        assert_eq!(header_of(&response, "x-rate-limit-group"), None);
    }
}
