use serde_json::{Value, json};

use super::*;
use crate::{
    jose::{
        jwk::Jwk,
        jwt::tests::{hs256, with_part},
        keys::SigningKeys,
    },
    oauth::error::OauthCode,
    seed::Seed,
};

const SECRET: &[u8] = b"a client's secret";
const NOW: u64 = 1_700_000_000;
const TOKEN_ENDPOINT: &str = "http://127.0.0.1:8090/restapi/oauth/token";
const ISSUER: &str = "http://127.0.0.1:8090";

/// What openid-client sends.
fn claims() -> Value {
    json!({
        "iss": "app", "sub": "app", "aud": TOKEN_ENDPOINT, "jti": "one",
        "iat": NOW, "nbf": NOW, "exp": NOW + 60,
    })
}

fn with(member: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[member] = value.into();
    claims
}

fn expected() -> Expected<'static> {
    Expected {
        client_id: "app",
        audiences: &[TOKEN_ENDPOINT, ISSUER],
        longest_life: LONGEST_LIFE,
        now: Timestamp::from_millis(NOW * 1_000),
    }
}

/// What is kept of a spent id is of no interest here.
fn verify(
    assertion: &str,
    key: VerifyingKey<'_>,
    expected: &Expected<'_>,
    used: &mut JtiCache,
) -> Result<(), AssertionRefusal> {
    super::verify(assertion, key, expected, used).map(drop)
}

fn check(claims: &Value) -> Result<(), AssertionRefusal> {
    let mut used = JtiCache::default();
    let key = VerifyingKey::Secret(SECRET);
    verify(&hs256(claims, SECRET), key, &expected(), &mut used)
}

/// A client with a key pair of its own, and the public key it has registered.
fn key_pair() -> (SigningKeys, Jwk) {
    let keys = SigningKeys::new(&Seed::new(9));
    let jwk = keys.jwks().keys.remove(0);
    (keys, jwk)
}

#[test]
fn client_secret_jwt_is_believed_once() {
    let mut used = JtiCache::default();
    let assertion = hs256(&claims(), SECRET);
    let key = VerifyingKey::Secret(SECRET);
    assert_eq!(verify(&assertion, key, &expected(), &mut used), Ok(()));
    assert_eq!(
        verify(&assertion, key, &expected(), &mut used),
        Err(AssertionRefusal::Replayed)
    );
    let another = hs256(&with("jti", "two"), SECRET);
    assert_eq!(verify(&another, key, &expected(), &mut used), Ok(()));
}

#[test]
fn private_key_jwt_is_believed_once() {
    let mut used = JtiCache::default();
    let (keys, jwk) = key_pair();
    let assertion = keys.sign(&claims());
    let key = VerifyingKey::Public(&jwk);
    assert_eq!(verify(&assertion, key, &expected(), &mut used), Ok(()));
    assert_eq!(
        verify(&assertion, key, &expected(), &mut used),
        Err(AssertionRefusal::Replayed)
    );
}

#[test]
fn the_issuer_or_one_of_several_will_do_as_audience() {
    for audience in [
        json!(ISSUER),
        json!([ISSUER]),
        json!(["https://elsewhere.example", TOKEN_ENDPOINT]),
    ] {
        assert_eq!(check(&with("aud", audience.clone())), Ok(()), "{audience}");
    }
}

#[test]
fn optional_claims_may_be_missing_and_unknown_ones_there() {
    let mut claims = with("client_name", "App");
    let members = claims.as_object_mut().unwrap();
    members.remove("iat");
    members.remove("nbf");
    assert_eq!(check(&claims), Ok(()));
}

#[test]
fn required_claims_must_be_there_and_of_their_type() {
    for member in ["iss", "sub", "aud", "exp", "jti"] {
        let mut missing = claims();
        missing.as_object_mut().unwrap().remove(member);
        for claims in [missing, with(member, true), with(member, Value::Null)] {
            assert_eq!(
                check(&claims),
                Err(AssertionRefusal::Jwt(JwtRefusal::Claims)),
                "{claims}"
            );
        }
    }
}

#[test]
fn claims_of_another_client_place_or_time_are_refused() {
    for (member, value, refusal) in [
        ("iss", json!("other"), AssertionRefusal::Client),
        ("sub", json!("other"), AssertionRefusal::Client),
        (
            "aud",
            json!("https://elsewhere.example"),
            AssertionRefusal::Audience,
        ),
        ("aud", json!([]), AssertionRefusal::Audience),
        (
            "aud",
            json!(format!("{ISSUER}/")),
            AssertionRefusal::Audience,
        ),
        ("exp", json!(NOW), AssertionRefusal::Expired),
        ("exp", json!(NOW - 1), AssertionRefusal::Expired),
        ("exp", json!(NOW + 3_661), AssertionRefusal::TooLongLived),
        ("nbf", json!(NOW + 61), AssertionRefusal::NotYetValid),
        ("iat", json!(NOW + 61), AssertionRefusal::IssuedInTheFuture),
        ("jti", json!(""), AssertionRefusal::NoId),
    ] {
        assert_eq!(check(&with(member, value)), Err(refusal), "{member}");
    }
}

#[test]
fn a_clock_a_minute_ahead_is_tolerated() {
    for (member, value) in [("exp", NOW + 3_660), ("nbf", NOW + 60), ("iat", NOW + 60)] {
        assert_eq!(check(&with(member, value)), Ok(()), "{member}");
    }
}

#[test]
fn a_refused_assertion_spends_no_id() {
    let mut used = JtiCache::default();
    let key = VerifyingKey::Secret(SECRET);
    let forged = hs256(&claims(), b"a guess");
    let misplaced = hs256(&with("aud", "https://elsewhere.example"), SECRET);
    for refused in [forged, misplaced] {
        assert!(verify(&refused, key, &expected(), &mut used).is_err());
    }
    let assertion = hs256(&claims(), SECRET);
    assert_eq!(verify(&assertion, key, &expected(), &mut used), Ok(()));
}

#[test]
fn the_wrong_key_or_algorithm_is_refused() {
    let (keys, jwk) = key_pair();
    let symmetric = hs256(&claims(), SECRET);
    let signed = keys.sign(&claims());
    let mut rotated = SigningKeys::new(&Seed::new(9));
    rotated.rotate();
    let other_jwk = rotated.jwks().keys.remove(0);
    let public_text = serde_json::to_string(&jwk).unwrap();
    let confused = hs256(&claims(), public_text.as_bytes());
    for (assertion, key, refusal) in [
        (
            &symmetric,
            VerifyingKey::Secret(b"other"),
            JwtRefusal::Signature,
        ),
        (
            &symmetric,
            VerifyingKey::Public(&jwk),
            JwtRefusal::Algorithm,
        ),
        (&signed, VerifyingKey::Secret(SECRET), JwtRefusal::Algorithm),
        (
            &signed,
            VerifyingKey::Public(&other_jwk),
            JwtRefusal::Signature,
        ),
        (&confused, VerifyingKey::Public(&jwk), JwtRefusal::Algorithm),
    ] {
        let outcome = verify(assertion, key, &expected(), &mut JtiCache::default());
        assert_eq!(outcome, Err(AssertionRefusal::Jwt(refusal)));
    }
}

#[test]
fn the_client_id_is_read_before_anything_is_verified() {
    let assertion = with_part(&hs256(&claims(), SECRET), 2, b"no signature");
    assert_eq!(claimed_client_id(&assertion), Ok("app".into()));
    assert_eq!(
        claimed_client_id("app"),
        Err(AssertionRefusal::Jwt(JwtRefusal::NotAJwt))
    );
    assert_eq!(
        claimed_client_id(&hs256(&json!({"iss": "app"}), SECRET)),
        Err(AssertionRefusal::Jwt(JwtRefusal::Claims))
    );
}

#[test]
fn refusals_have_the_numbers_of_the_platform() {
    for (refusal, number) in [
        (AssertionRefusal::Jwt(JwtRefusal::NotAJwt), "OAU-331"),
        (AssertionRefusal::Jwt(JwtRefusal::TooLong), "OAU-331"),
        (AssertionRefusal::Jwt(JwtRefusal::Algorithm), "OAU-347"),
        (AssertionRefusal::Jwt(JwtRefusal::Signature), "OAU-146"),
        (AssertionRefusal::Jwt(JwtRefusal::Claims), "OAU-146"),
        (AssertionRefusal::Replayed, "OAU-146"),
        (AssertionRefusal::Client, "OAU-146"),
    ] {
        assert_eq!(OauthCode::of_client(refusal).id(), number, "{refusal}");
    }
}
