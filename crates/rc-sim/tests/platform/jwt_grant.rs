//! Personal JWTs: who may exchange them, and for whom.

use http::Response;
use rc_sim::{AllowedGrant, App};
use serde_json::{Value, json};

use crate::{
    signing::{claims, hs256},
    stage::{ADA, GRACE, REDIRECT_URI, Stage, basic, demo, json, pair, refusal, refused, secs},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN: &str = "/restapi/oauth/token";

fn exchange(stage: &mut Stage, jwt: &str) -> Response<bytes::Bytes> {
    stage.token(&[("grant_type", GRANT), ("assertion", jwt)])
}

fn jwt_of(stage: &Stage, login: &str) -> String {
    stage.platform.personal_jwt(login).expect("a user")
}

#[test]
fn a_personal_jwt_starts_a_session_of_its_user_as_often_as_one_likes() {
    let mut stage = Stage::new();
    let jwt = jwt_of(&stage, GRACE);
    assert_eq!(jwt, jwt_of(&stage, GRACE), "the same each time");
    let response = exchange(&mut stage, &jwt);
    let body = json(&response);
    assert_eq!(body["owner_id"], "12133895102");
    assert_eq!(
        body["scope"],
        "ReadAccounts ReadCallLog ReadMessages EditMessages SMS"
    );
    assert!(body.get("id_token").is_none());
    let first = pair(&response);
    assert_eq!(stage.call(&first.access).status(), 200);
    pair(&stage.refresh(&first.refresh));
    stage.pass(secs(10 * 365 * 86_400));
    let second = pair(&exchange(&mut stage, &jwt));
    assert_ne!(first, second);
}

#[test]
fn a_personal_jwt_says_whose_it_is_and_when_it_ends() {
    let mut stage = Stage::new();
    let end = stage.now.plus(secs(60));
    let made = stage
        .platform
        .create_personal_jwt(GRACE, None, Some(end))
        .expect("a user");
    let said = claims(&made);
    assert_eq!(said["sub"], "12133895102");
    assert_eq!(said["exp"], end.millis() / 1000);
    for name in ["aud", "iss", "jti"] {
        assert!(said[name].is_string(), "{name}");
    }
}

#[test]
fn scope_and_lives_are_asked_for_as_with_other_grants() {
    let mut stage = Stage::new();
    let jwt = jwt_of(&stage, ADA);
    let mut ask = |name, value| {
        let pairs = [("grant_type", GRANT), ("assertion", &*jwt), (name, value)];
        stage.token(&pairs)
    };
    assert_eq!(json(&ask("scope", "SMS"))["scope"], "SMS");
    assert_eq!(refusal(&ask("scope", "Faxes")).1, "invalid_scope");
    assert_eq!(json(&ask("access_token_ttl", "900"))["expires_in"], 899);
    let without = json(&ask("refresh_token_ttl", "0"));
    assert!(without.get("refresh_token").is_none());
    assert_eq!(json(&ask("endpoint_id", "mine"))["endpoint_id"], "mine");
}

#[test]
fn refused_assertions() {
    let mut stage = Stage::new();
    let client_id = stage.client_id();
    let secret = stage
        .platform
        .config()
        .confidential_app()
        .and_then(|app| app.client_secret())
        .expect("a secret")
        .to_owned();
    let good = jwt_of(&stage, ADA);
    let (unsigned, signature) = good.rsplit_once('.').expect("a signature");
    let forged = format!("{unsigned}.{}", signature.chars().rev().collect::<String>());
    let own =
        json!({ "sub": "12133895101", "iss": client_id, "jti": "1", "exp": 4_000_000_000_u64 });
    for (assertion, code) in [
        ("garbage", "OAU-331"),
        ("a.b.c", "OAU-331"),
        (&forged, "OAU-331"),
        (&hs256(&own, &secret), "OAU-347"),
    ] {
        assert_eq!(
            refusal(&exchange(&mut stage, assertion)),
            refused(400, "invalid_grant", code),
            "{assertion}"
        );
    }
    for missing in [
        vec![("grant_type", GRANT)],
        vec![("grant_type", GRANT), ("assertion", "")],
    ] {
        assert_eq!(
            refusal(&stage.token(&missing)),
            refused(400, "invalid_request", "CMN-101")
        );
    }
    assert_eq!(stage.live_sessions(), 0);
}

#[test]
fn an_expired_one_is_refused_from_its_second_on() {
    let mut stage = Stage::new();
    let end = stage.now.plus(secs(60));
    let jwt = stage
        .platform
        .create_personal_jwt(ADA, None, Some(end))
        .expect("a user");
    stage.pass(secs(59));
    pair(&exchange(&mut stage, &jwt));
    stage.pass(secs(1));
    assert_eq!(
        refusal(&exchange(&mut stage, &jwt)),
        refused(400, "invalid_grant", "OAU-210")
    );
}

#[test]
fn a_revoked_one_is_refused_and_its_sessions_live_on() {
    let mut stage = Stage::new();
    let made = json!({ "login": ADA });
    let (status, made) = stage.control("POST", "personal-jwts", &made, &[]);
    assert_eq!(status, 200);
    let jwt = made["jwt"].as_str().expect("a JWT").to_owned();
    assert_ne!(jwt, jwt_of(&stage, ADA));
    let mine = pair(&exchange(&mut stage, &jwt));
    for revoked in [true, true] {
        let answer = stage.control("POST", "personal-jwts/revoke", &json!({ "jwt": jwt }), &[]);
        assert_eq!(answer, (200, json!({ "revoked": revoked })));
    }
    assert_eq!(
        refusal(&exchange(&mut stage, &jwt)),
        refused(400, "invalid_grant", "OAU-211")
    );
    pair(&stage.refresh(&mine.refresh));
    let other = jwt_of(&stage, ADA);
    pair(&exchange(&mut stage, &other));
    assert!(!stage.platform.revoke_personal_jwt("garbage"));
}

#[test]
fn one_for_some_apps_is_not_for_others() {
    let mut config = demo();
    config.apps.push(
        App::confidential("Other", "other-app", "other-secret").allow(AllowedGrant::PersonalJwt),
    );
    let mut stage = Stage::of(config);
    let body = json!({ "login": ADA, "client_ids": ["other-app"], "expires_in": 60 });
    let (_, made) = stage.control("POST", "personal-jwts", &body, &[]);
    let jwt = made["jwt"].as_str().expect("a JWT").to_owned();
    assert_eq!(refusal(&exchange(&mut stage, &jwt)).2, "OAU-473");
    let pairs = [("grant_type", GRANT), ("assertion", &*jwt)];
    let other = basic("other-app", "other-secret");
    let response = stage.post_form(TOKEN, &pairs, Some(&other));
    assert_eq!(response.status(), 200);
    stage.pass(secs(60));
    let response = stage.post_form(TOKEN, &pairs, Some(&other));
    assert_eq!(refusal(&response).2, "OAU-210");
    let nobody = json!({ "login": "nobody@acme.example" });
    assert_eq!(stage.control("POST", "personal-jwts", &nobody, &[]).0, 404);
}

#[test]
fn the_app_needs_the_grant_and_authenticates_like_any_other() {
    let mut config = demo();
    config
        .apps
        .push(App::confidential("Without", "without-jwt", "secret").redirect_uri(REDIRECT_URI));
    let mut stage = Stage::of(config);
    let jwt = jwt_of(&stage, ADA);
    let public = stage.public_client_id();
    let mut pairs = vec![("grant_type", GRANT), ("assertion", jwt.as_str())];
    let without = basic("without-jwt", "secret");
    assert_eq!(
        refusal(&stage.post_form(TOKEN, &pairs, Some(&without))),
        refused(400, "unauthorized_client", "OAU-251")
    );
    let wrong = basic(&stage.client_id(), "wrong");
    assert_eq!(
        refusal(&stage.post_form(TOKEN, &pairs, Some(&wrong))).2,
        "OAU-146"
    );
    assert_eq!(refusal(&stage.post_form(TOKEN, &pairs, None)).2, "OAU-123");
    pairs.push(("client_id", &public));
    assert_eq!(refusal(&stage.post_form(TOKEN, &pairs, None)).2, "OAU-251");
}

#[test]
fn users_who_may_not_sign_in_get_no_session_by_jwt_either() {
    let mut stage = Stage::new();
    let disabled = jwt_of(&stage, "dora@acme.example");
    assert_eq!(refusal(&exchange(&mut stage, &disabled)).2, "OAU-141");
    let without_apps = jwt_of(&stage, "nora@acme.example");
    assert_eq!(
        refusal(&exchange(&mut stage, &without_apps)),
        refused(400, "invalid_client", "CMN-408")
    );
    stage.platform.enable_user("dora@acme.example", true);
    pair(&exchange(&mut stage, &disabled));
}

#[test]
fn a_sixth_session_ends_the_first() {
    let mut stage = Stage::new();
    let jwt = jwt_of(&stage, ADA);
    let tokens: Vec<_> = (0..6).map(|_| pair(&exchange(&mut stage, &jwt))).collect();
    assert_eq!(stage.live_sessions(), 5);
    assert_eq!(
        refusal(&stage.call(&tokens[0].access)),
        refused(401, "TokenInvalid", "OAU-213")
    );
    assert_eq!(refusal(&stage.refresh(&tokens[0].refresh)).2, "OAU-213");
    for token in &tokens[1..] {
        assert_eq!(stage.call(&token.access).status(), 200);
    }
}

#[test]
fn requests_of_jwts_count_for_their_user_where_limits_are_per_user() {
    let mut config = demo();
    config.switches.limits.enabled = true;
    config.switches.limits.auth_per = rc_sim::AuthLimitScope::User;
    let mut stage = Stage::of(config);
    let (ada, grace) = (jwt_of(&stage, ADA), jwt_of(&stage, GRACE));
    for _ in 0..5 {
        pair(&exchange(&mut stage, &ada));
    }
    assert_eq!(refusal(&exchange(&mut stage, &ada)).2, "CMN-301");
    pair(&exchange(&mut stage, &grace));
    let events = stage
        .control("GET", "events?code=CMN-301", &Value::Null, &[])
        .1;
    assert_eq!(events["events"][0]["grant_type"], GRANT);
}
