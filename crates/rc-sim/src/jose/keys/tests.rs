use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::jose::jwt::tests::{hs256, with_part};

fn keys() -> SigningKeys {
    SigningKeys::new(&Seed::new(1))
}

fn header(token: &str) -> Header {
    Unverified::parse(token).unwrap().header
}

#[test]
fn every_test_key_of_the_pool_is_a_key_of_its_own() {
    let numbers: BTreeSet<String> = POOL
        .iter()
        .map(|key| serde_json::to_value(key.jwk(String::new())).unwrap()["n"].to_string())
        .collect();
    assert_eq!(numbers.len(), POOL.len());
}

#[test]
fn a_signed_token_is_verified_with_the_published_key_set_alone() {
    let keys = keys();
    let token = keys.sign(&json!({"sub": "12133895101"}));
    let header = header(&token);
    assert_eq!(
        (header.alg.as_str(), header.typ.as_deref()),
        ("RS256", Some("JWT"))
    );
    let set = serde_json::to_value(keys.jwks()).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    assert_eq!(set["keys"][0]["kid"], header.kid.unwrap());
    let read: JwkSet = serde_json::from_value(set).unwrap();
    let claims: Value = Unverified::parse(&token)
        .unwrap()
        .verify(VerifyingKey::Public(&read.keys[0]))
        .unwrap();
    assert_eq!(claims, json!({"sub": "12133895101"}));
}

#[test]
fn the_key_set_has_the_members_of_the_platform_in_order() {
    let set = serde_json::to_string(&keys().jwks()).unwrap();
    let members = ["kty", "alg", "use", "kid", "n", "e"];
    let places = members.map(|member| set.find(&format!("\"{member}\":")).unwrap());
    assert!(places.is_sorted(), "{set}");
    assert!(set.starts_with(r#"{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","#));
    assert!(set.ends_with(r#""e":"AQAB"}]}"#));
}

#[test]
fn the_same_seed_signs_the_same_bytes_and_another_seed_others() {
    let claims = json!({"sub": "1"});
    assert_eq!(keys().sign(&claims), keys().sign(&claims));
    let other = SigningKeys::new(&Seed::new(2));
    assert_ne!(keys().sign(&claims), other.sign(&claims));
    assert_eq!(
        other.verify::<Value>(&keys().sign(&claims)),
        Err(JwtRefusal::UnknownKey)
    );
}

#[test]
fn the_seed_chooses_among_all_keys() {
    let starts: BTreeSet<usize> = (0..64)
        .map(|seed| SigningKeys::new(&Seed::new(seed)).start())
        .collect();
    assert_eq!(starts.len(), POOL.len());
}

#[test]
fn a_rotated_key_is_published_until_the_next_rotation() {
    let mut keys = keys();
    let first = keys.sign(&json!({}));
    keys.rotate();
    let second = keys.sign(&json!({}));
    assert_ne!(header(&first).kid, header(&second).kid);
    assert_ne!(first.rsplit_once('.'), second.rsplit_once('.'));
    assert_eq!(keys.jwks().keys.len(), 2);
    assert!(keys.verify::<Value>(&first).is_ok() && keys.verify::<Value>(&second).is_ok());

    keys.rotate();
    assert_eq!(keys.jwks().keys.len(), 2);
    assert_eq!(keys.verify::<Value>(&first), Err(JwtRefusal::UnknownKey));
    assert!(keys.verify::<Value>(&second).is_ok());
}

#[test]
fn a_key_that_comes_round_again_does_not_revive_its_old_tokens() {
    let mut keys = keys();
    let token = keys.sign(&json!({}));
    for _ in 0..POOL.len() - 1 {
        keys.rotate();
    }
    assert_eq!(keys.verify::<Value>(&token), Err(JwtRefusal::UnknownKey));
}

#[test]
fn rotations_can_be_restored() {
    let mut keys = keys();
    keys.rotate();
    keys.rotate();
    let mut restored = SigningKeys::new(&Seed::new(1));
    restored.set_rotations(keys.rotations());
    assert_eq!(restored.rotations(), 2);
    assert_eq!(restored.jwks(), keys.jwks());
    assert_eq!(restored.sign(&json!({})), keys.sign(&json!({})));
    assert_eq!(
        {
            let mut keys = SigningKeys::new(&Seed::new(1));
            keys.set_rotations(u32::MAX);
            keys
        }
        .jwks()
        .keys
        .len(),
        2
    );
}

#[test]
fn personal_and_other_tokens_are_not_taken_for_each_other() {
    let mut keys = keys();
    let personal = keys.sign_personal(&json!({"sub": "1"}));
    for _ in 0..POOL.len() {
        assert!(keys.verify_personal::<Value>(&personal).is_ok());
        assert_eq!(keys.verify::<Value>(&personal), Err(JwtRefusal::UnknownKey));
        let other = keys.sign(&json!({"sub": "1"}));
        assert_eq!(
            keys.verify_personal::<Value>(&other),
            Err(JwtRefusal::UnknownKey)
        );
        assert!(!std::ptr::eq(
            keys.key(keys.rotations()),
            keys.personal_key()
        ));
        keys.rotate();
    }
}

#[test]
fn a_tampered_token_of_the_platform_is_refused() {
    let keys = keys();
    let token = keys.sign(&json!({"sub": "1"}));
    for (index, part) in [
        (1, &br#"{"sub":"2"}"#[..]),
        (2, &[0; 256][..]),
        (2, &[][..]),
    ] {
        let tampered = with_part(&token, index, part);
        assert_eq!(keys.verify::<Value>(&tampered), Err(JwtRefusal::Signature));
    }
    for header in [r#"{"alg":"RS256"}"#, r#"{"alg":"RS256","kid":"other"}"#] {
        let renamed = with_part(&token, 0, header.as_bytes());
        assert_eq!(keys.verify::<Value>(&renamed), Err(JwtRefusal::UnknownKey));
    }
    let kid = header(&token).kid.unwrap();
    let unsigned = with_part(
        &with_part(&token, 2, b""),
        0,
        format!(r#"{{"alg":"none","kid":"{kid}"}}"#).as_bytes(),
    );
    let symmetric = hs256(&json!({"sub": "1"}), b"secret");
    for token in [unsigned, symmetric] {
        assert_eq!(keys.verify::<Value>(&token), Err(JwtRefusal::Algorithm));
    }
    assert_eq!(keys.verify::<Value>("rubbish"), Err(JwtRefusal::NotAJwt));
}
