use serde_json::{Value, json};

use super::*;

const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515 appendix A.1.
const HS256_HEADER: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
const HS256_SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS256_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// RFC 7515 appendix A.2.
const RS256_HEADER: &str = "eyJhbGciOiJSUzI1NiJ9";
const RS256_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RS256_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// A token as a client with a secret signs it.
pub(crate) fn hs256(claims: &Value, secret: &[u8]) -> String {
    let header = Header {
        alg: "HS256".into(),
        ..Header::rs256("client".into())
    };
    let input = signing_input(&header, claims).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, input.as_bytes());
    with_signature(input, tag.as_ref())
}

/// The same token with one part replaced: 0 the header, 1 the claims, 2 the signature.
pub(crate) fn with_part(token: &str, index: usize, part: &[u8]) -> String {
    let part = URL_SAFE_NO_PAD.encode(part);
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[index] = &part;
    parts.join(".")
}

fn rfc_7515_key() -> Jwk {
    serde_json::from_value(json!({"kty": "RSA", "n": RS256_N, "e": "AQAB"})).unwrap()
}

fn rs256_token() -> String {
    format!("{RS256_HEADER}.{CLAIMS}.{RS256_SIGNATURE}")
}

fn verify(token: &str, key: VerifyingKey<'_>) -> Result<Value, JwtRefusal> {
    Unverified::parse(token)?.verify(key)
}

#[test]
fn rfc_7515_appendix_a_1() {
    let key = URL_SAFE_NO_PAD.decode(HS256_KEY).unwrap();
    let token = format!("{HS256_HEADER}.{CLAIMS}.{HS256_SIGNATURE}");
    let claims = verify(&token, VerifyingKey::Secret(&key)).unwrap();
    assert_eq!(
        claims,
        json!({"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true})
    );
}

#[test]
fn rfc_7515_appendix_a_2() {
    let claims = verify(&rs256_token(), VerifyingKey::Public(&rfc_7515_key())).unwrap();
    assert_eq!(claims["iss"], "joe");
}

#[test]
fn rfc_7515_appendix_a_5_is_refused_by_every_key() {
    let token = format!("eyJhbGciOiJub25lIn0.{CLAIMS}.");
    for key in [
        VerifyingKey::Public(&rfc_7515_key()),
        VerifyingKey::Secret(b"secret"),
        VerifyingKey::Secret(b""),
    ] {
        assert_eq!(verify(&token, key), Err(JwtRefusal::Algorithm));
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let jwk = rfc_7515_key();
    for secret in [RS256_N.to_owned(), serde_json::to_string(&jwk).unwrap()] {
        let forged = hs256(&json!({"iss": "joe"}), secret.as_bytes());
        assert!(verify(&forged, VerifyingKey::Secret(secret.as_bytes())).is_ok());
        assert_eq!(
            verify(&forged, VerifyingKey::Public(&jwk)),
            Err(JwtRefusal::Algorithm)
        );
        let renamed = with_part(&forged, 0, br#"{"alg":"RS256"}"#);
        assert_eq!(
            verify(&renamed, VerifyingKey::Public(&jwk)),
            Err(JwtRefusal::Signature)
        );
    }
    assert_eq!(
        verify(&rs256_token(), VerifyingKey::Secret(b"secret")),
        Err(JwtRefusal::Algorithm)
    );
}

#[test]
fn a_change_of_any_part_breaks_the_signature() {
    let jwk = rfc_7515_key();
    let secret = b"secret";
    let symmetric = hs256(&json!({"iss": "joe"}), secret);
    for (token, alg, key) in [
        (rs256_token(), "RS256", VerifyingKey::Public(&jwk)),
        (symmetric, "HS256", VerifyingKey::Secret(secret)),
    ] {
        let header = format!(r#"{{"alg":"{alg}","kid":"other"}}"#);
        let changes: [(usize, &[u8]); 5] = [
            (0, header.as_bytes()),
            (1, br#"{"iss":"eve"}"#),
            (2, b""),
            (2, &[0; 32]),
            (2, &[0; 256]),
        ];
        for (index, part) in changes {
            let tampered = with_part(&token, index, part);
            assert_eq!(
                verify(&tampered, key),
                Err(JwtRefusal::Signature),
                "{alg} {index}"
            );
        }
    }
}

/// Also the last one of the signature, two bits of which say nothing: a token has one spelling.
#[test]
fn a_change_of_any_character_is_refused() {
    let secret = b"secret";
    let token = hs256(&json!({"iss": "joe"}), secret);
    for (place, character) in token.char_indices() {
        for other in "AZaz09-_.=".chars().filter(|other| *other != character) {
            let mut changed = token.clone();
            changed.replace_range(place..=place, other.encode_utf8(&mut [0; 4]));
            let outcome = verify(&changed, VerifyingKey::Secret(secret));
            assert!(outcome.is_err(), "{place} {other}");
        }
    }
}

#[test]
fn another_key_of_the_same_kind_has_not_signed() {
    let token = hs256(&json!({}), b"one secret");
    assert_eq!(
        verify(&token, VerifyingKey::Secret(b"another")),
        Err(JwtRefusal::Signature)
    );
    let nobody = hs256(&json!({}), b"");
    assert_eq!(
        verify(&nobody, VerifyingKey::Secret(b"")),
        Err(JwtRefusal::Signature)
    );
}

#[test]
fn a_key_for_something_else_has_not_signed() {
    let good =
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "n": RS256_N, "e": "AQAB", "x5t": "?"});
    let jwk: Jwk = serde_json::from_value(good.clone()).unwrap();
    assert!(verify(&rs256_token(), VerifyingKey::Public(&jwk)).is_ok());
    for (member, value) in [
        ("kty", "EC"),
        ("alg", "PS256"),
        ("use", "enc"),
        ("n", "not base64url"),
        ("n", "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd"),
        ("n", ""),
        ("e", ""),
    ] {
        let mut other = good.clone();
        other[member] = value.into();
        let jwk: Jwk = serde_json::from_value(other).unwrap();
        assert_eq!(
            verify(&rs256_token(), VerifyingKey::Public(&jwk)),
            Err(JwtRefusal::Signature),
            "{member} {value}"
        );
    }
}

#[test]
fn unknown_extensions_are_refused() {
    for crit in [r#"["exp"]"#, "[]", "null"] {
        let header = format!(r#"{{"alg":"HS256","crit":{crit}}}"#);
        let token = with_part(&hs256(&json!({}), b"secret"), 0, header.as_bytes());
        assert_eq!(
            verify(&token, VerifyingKey::Secret(b"secret")),
            Err(JwtRefusal::Critical)
        );
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for token in [
        String::new(),
        "undefined".into(),
        ".".into(),
        "..".into(),
        format!("{RS256_HEADER}.{CLAIMS}"),
        format!("{}.x", rs256_token()),
        format!("{RS256_HEADER}..{RS256_SIGNATURE}"),
        format!("{RS256_HEADER}.{CLAIMS}=.{RS256_SIGNATURE}"),
        format!(" {}", rs256_token()),
        format!("{}\n", rs256_token()),
        format!("{}.{CLAIMS}.AA", encode("[]")),
        format!("{}.{CLAIMS}.AA", encode("{}")),
        format!("{}.{CLAIMS}.AA", encode(r#"{"alg":256}"#)),
        format!("{}.{CLAIMS}.AA", encode(r#"{"alg":"RS256","alg":"none"}"#)),
        format!("{RS256_HEADER}.{}.AA", encode("[]")),
        format!("{RS256_HEADER}.{}.AA", encode("\"text\"")),
        format!("{RS256_HEADER}.{}.AA", encode("{\"iss\":")),
        format!("é.{CLAIMS}.AA"),
    ] {
        assert_eq!(
            Unverified::parse(&token).err(),
            Some(JwtRefusal::NotAJwt),
            "{token}"
        );
    }
}

#[test]
fn deeply_nested_claims_are_refused_and_not_followed() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000));
    let token = with_part(&hs256(&json!({}), b"secret"), 1, deep.as_bytes());
    let claims = Unverified::parse(&token)
        .unwrap()
        .unverified_claims::<Value>();
    assert_eq!(claims, Err(JwtRefusal::Claims));
}

#[test]
fn a_token_is_read_up_to_16_kib() {
    let of_length = |length: usize| {
        let token = hs256(&json!({}), b"secret");
        format!("{token}{}", "A".repeat(length - token.len()))
    };
    assert_eq!(
        Unverified::parse(&of_length(LONGEST + 1)).err(),
        Some(JwtRefusal::TooLong)
    );
    assert_eq!(
        verify(&of_length(LONGEST), VerifyingKey::Secret(b"secret")),
        Err(JwtRefusal::Signature)
    );
}

#[test]
fn claims_of_another_shape_are_refused() {
    #[derive(Debug, Deserialize)]
    struct Subject {
        #[serde(rename = "sub")]
        _sub: String,
    }
    for claims in [json!({}), json!({"sub": 1})] {
        let token = hs256(&claims, b"secret");
        let claims = Unverified::parse(&token)
            .unwrap()
            .verify::<Subject>(VerifyingKey::Secret(b"secret"));
        assert_eq!(claims.err(), Some(JwtRefusal::Claims));
    }
}
