use serde_json::{Value, json};

use super::*;
use crate::{
    jose::jwt::{
        Unverified,
        tests::{hs256, with_part},
    },
    oauth::error::OauthCode,
};

const EXTENSION: u64 = 12_133_895_101;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn seed() -> Seed {
    Seed::new(1)
}

fn keys() -> SigningKeys {
    SigningKeys::new(&seed())
}

fn jwt() -> PersonalJwt {
    PersonalJwt::new(&seed(), EXTENSION, 0)
}

fn registry(jwt: &PersonalJwt) -> PersonalJwts {
    let mut registry = PersonalJwts::default();
    registry.register(jwt.clone());
    registry
}

fn check(jwt: &PersonalJwt, now: Timestamp) -> Result<(), PersonalJwtRefusal> {
    let token = jwt.token(&keys());
    registry(jwt).verify(&token, "app", &keys(), now).map(drop)
}

#[test]
fn the_token_has_the_claims_of_the_platform() {
    let token = jwt().token(&keys());
    let parsed = Unverified::parse(&token).unwrap();
    assert_eq!(parsed.header.alg, "RS256");
    assert_eq!(parsed.header.typ.as_deref(), Some("JWT"));
    assert!(parsed.header.kid.is_some());
    let claims: Value = parsed.unverified_claims().unwrap();
    assert_eq!(
        claims,
        json!({
            "aud": "http://rc-sim.example/restapi/oauth/token",
            "iss": "http://rc-sim.example",
            "sub": "12133895101",
            "iat": 1_704_067_200,
            "exp": 1_704_067_200_u64 + 50 * 365 * 86_400,
            "jti": jwt().jti,
        })
    );
}

#[test]
fn seed_user_and_serial_make_the_token() {
    let token = |seed: u64, extension, serial| {
        let seed = Seed::new(seed);
        PersonalJwt::new(&seed, extension, serial).token(&SigningKeys::new(&seed))
    };
    let first = token(1, EXTENSION, 0);
    assert_eq!(first, token(1, EXTENSION, 0));
    for other in [
        token(2, EXTENSION, 0),
        token(1, EXTENSION + 1, 0),
        token(1, EXTENSION, 1),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn a_personal_jwt_names_its_user_again_and_again() {
    let registry = registry(&jwt());
    let token = jwt().token(&keys());
    for _ in 0..2 {
        let found = registry.verify(&token, "app", &keys(), NOW).unwrap();
        assert_eq!(found.extension_id, EXTENSION);
    }
}

#[test]
fn a_personal_jwt_outlives_rotations() {
    let mut keys = keys();
    let token = jwt().token(&keys);
    for _ in 0..6 {
        keys.rotate();
        assert_eq!(jwt().token(&keys), token);
        assert!(registry(&jwt()).verify(&token, "app", &keys, NOW).is_ok());
    }
}

#[test]
fn a_restricted_one_is_for_its_apps_only() {
    assert_eq!(check(&jwt().only_for(["other", "app"]), NOW), Ok(()));
    for restricted in [jwt().only_for(["other", "APP"]), jwt().only_for([""; 0])] {
        let refusal = check(&restricted, NOW).unwrap_err();
        assert_eq!(refusal, PersonalJwtRefusal::OtherClient);
        assert_eq!(OauthCode::of_personal_jwt(refusal).id(), "OAU-473");
    }
}

#[test]
fn it_expires_to_the_second() {
    let expires_at = Timestamp::from_millis(NOW.millis() + 999);
    let jwt = jwt().expiring_at(expires_at);
    assert_eq!(
        check(&jwt, Timestamp::from_millis(NOW.millis() - 1)),
        Ok(())
    );
    assert_eq!(check(&jwt, NOW), Err(PersonalJwtRefusal::Expired));
    let token = jwt.token(&keys());
    let claims: Value = Unverified::parse(&token)
        .unwrap()
        .unverified_claims()
        .unwrap();
    assert_eq!(claims["exp"], NOW.millis() / 1_000);
}

#[test]
fn a_revoked_one_is_refused() {
    let mut registry = registry(&jwt());
    assert!(!registry.revoke("another"));
    assert!(registry.revoke(&jwt().jti));
    let token = jwt().token(&keys());
    assert_eq!(
        registry.verify(&token, "app", &keys(), NOW),
        Err(PersonalJwtRefusal::Revoked)
    );
}

#[test]
fn one_that_was_never_registered_is_refused() {
    let token = PersonalJwt::new(&seed(), EXTENSION, 7).token(&keys());
    assert_eq!(
        registry(&jwt()).verify(&token, "app", &keys(), NOW),
        Err(PersonalJwtRefusal::Unknown)
    );
}

#[test]
fn forged_ones_are_refused() {
    let token = jwt().token(&keys());
    let claims = json!({"sub": "12133895101", "jti": jwt().jti});
    let other_platform = SigningKeys::new(&Seed::new(2)).sign_personal(&claims);
    let kid = Unverified::parse(&token).unwrap().header.kid.unwrap();
    let none = format!(r#"{{"alg":"none","kid":"{kid}"}}"#);
    for (forged, refusal, number) in [
        ("rubbish".into(), JwtRefusal::NotAJwt, "OAU-331"),
        (hs256(&claims, b"secret"), JwtRefusal::Algorithm, "OAU-347"),
        (
            with_part(&with_part(&token, 2, b""), 0, none.as_bytes()),
            JwtRefusal::Algorithm,
            "OAU-347",
        ),
        (keys().sign(&claims), JwtRefusal::UnknownKey, "OAU-331"),
        (other_platform, JwtRefusal::UnknownKey, "OAU-331"),
        (
            with_part(&token, 1, claims.to_string().as_bytes()),
            JwtRefusal::Signature,
            "OAU-331",
        ),
        (
            with_part(&token, 2, &[1; 256]),
            JwtRefusal::Signature,
            "OAU-331",
        ),
        (
            keys().sign_personal(&json!({"sub": "12133895101"})),
            JwtRefusal::Claims,
            "OAU-331",
        ),
    ] {
        let found = registry(&jwt())
            .verify(&forged, "app", &keys(), NOW)
            .map(drop)
            .unwrap_err();
        assert_eq!(found, PersonalJwtRefusal::Jwt(refusal));
        assert_eq!(OauthCode::of_personal_jwt(found).id(), number);
    }
}

#[test]
fn other_refusals_have_the_numbers_of_refresh_tokens() {
    for (refusal, number) in [
        (PersonalJwtRefusal::Unknown, "OAU-213"),
        (PersonalJwtRefusal::Revoked, "OAU-211"),
        (PersonalJwtRefusal::Expired, "OAU-210"),
    ] {
        assert_eq!(OauthCode::of_personal_jwt(refusal).id(), number);
    }
}
