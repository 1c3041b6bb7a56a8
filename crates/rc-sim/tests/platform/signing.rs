//! Signs and checks JWTs as clients do, with a key pair that is committed for these tests.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use serde_json::{Value, json};

const CLIENT_KEY: &[u8] = include_bytes!("../../test-keys/test-rsa-2048-client.der");

fn client_key() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(CLIENT_KEY).expect("a key pair")
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

pub(crate) fn hs256(claims: &Value, secret: &str) -> String {
    let input = unsigned(&json!({ "alg": "HS256", "typ": "JWT" }), claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", encode(tag))
}

/// A JWT that the client's key signed.
pub(crate) fn rs256(claims: &Value) -> String {
    let input = unsigned(
        &json!({ "alg": "RS256", "typ": "JWT", "kid": "mine" }),
        claims,
    );
    let key = client_key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        input.as_bytes(),
        &mut signature,
    )
    .expect("a signature");
    format!("{input}.{}", encode(signature))
}

/// The key set that the client registers.
pub(crate) fn client_key_set() -> String {
    let public: PublicKeyComponents<Vec<u8>> = client_key().public().into();
    let (n, e) = (encode(public.n), encode(public.e));
    json!({ "keys": [{ "kty": "RSA", "kid": "mine", "use": "sig", "alg": "RS256", "n": n, "e": e }] })
        .to_string()
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("three parts");
    serde_json::from_slice(&decode(part)).expect("JSON")
}

pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The claims of an RS256 token that a key of `jwks` signed; `None` when none did.
pub(crate) fn verified(token: &str, jwks: &Value) -> Option<Value> {
    let header = header(token);
    let keys = jwks["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"])?;
    assert_eq!(
        (&header["alg"], &key["kty"]),
        (&json!("RS256"), &json!("RSA"))
    );
    let number = |name: &str| decode(key[name].as_str().expect("a number"));
    let public = RsaPublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    let (input, signature) = token.rsplit_once('.').expect("a signature");
    public
        .verify(
            &RSA_PKCS1_2048_8192_SHA256,
            input.as_bytes(),
            &decode(signature),
        )
        .ok()?;
    Some(claims(token))
}
