//! Compact signed tokens (RFC 7515, RFC 7519), RS256 and HS256.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::jwk::Jwk;

/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;

/// The protected header, in the order in which the platform writes it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typ: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    /// Extensions that must be understood (RFC 7515 section 4.1.11); none is.
    #[serde(default, skip_serializing, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

/// Any value, `null` too, is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}

impl Header {
    pub(crate) fn rs256(kid: String) -> Self {
        Self {
            alg: "RS256".into(),
            typ: Some("JWT".into()),
            kid: Some(kid),
            crit: None,
        }
    }
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum JwtRefusal {
    #[error("the token is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the token is not three base64url parts with a JSON header and JSON claims")]
    NotAJwt,
    /// Also an algorithm that exists, but is not the key's.
    #[error("the token names another algorithm than its key's")]
    Algorithm,
    #[error("the token asks for an extension that is not supported")]
    Critical,
    #[error("no published key has the token's key id")]
    UnknownKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("a claim is missing or is of the wrong type")]
    Claims,
}

/// What a signature is checked with. The key fixes the algorithm; the header only has to agree, so that
/// neither `none` nor a public key taken for a secret gets a token through (RFC 8725 section 3.1).
#[derive(Clone, Copy)]
pub(crate) enum VerifyingKey<'a> {
    /// RS256.
    Public(&'a Jwk),
    /// HS256.
    Secret(&'a [u8]),
}

impl VerifyingKey<'_> {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Public(_) => "RS256",
            Self::Secret(_) => "HS256",
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(jwk) => jwk.has_signed(message, signature),
            // An empty secret is a client without one, not a key that everybody knows.
            Self::Secret([]) => false,
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::verify(&key, message, signature).is_ok()
            }
        }
    }
}

/// A token taken apart; nothing it says is known to be true.
pub(crate) struct Unverified<'a> {
    pub(crate) header: Header,
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, JwtRefusal> {
        if token.len() > LONGEST {
            return Err(JwtRefusal::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtRefusal::NotAJwt)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtRefusal::NotAJwt)?;
        let claims = decode(claims)?;
        // RFC 7519 section 7.2: the claims are one JSON object, whatever is in it.
        serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&claims)
            .map_err(|_| JwtRefusal::NotAJwt)?;
        Ok(Self {
            header: serde_json::from_slice(&decode(header)?).map_err(|_| JwtRefusal::NotAJwt)?,
            signed,
            claims,
            signature: decode(signature)?,
        })
    }

    /// The claims, if `key` signed them.
    pub(crate) fn verify<T: DeserializeOwned>(
        &self,
        key: VerifyingKey<'_>,
    ) -> Result<T, JwtRefusal> {
        if self.header.alg != key.algorithm() {
            return Err(JwtRefusal::Algorithm);
        }
        if self.header.crit.is_some() {
            return Err(JwtRefusal::Critical);
        }
        if !key.has_signed(self.signed.as_bytes(), &self.signature) {
            return Err(JwtRefusal::Signature);
        }
        self.unverified_claims()
    }

    /// What the token says, whoever signed it.
    pub(crate) fn unverified_claims<T: DeserializeOwned>(&self) -> Result<T, JwtRefusal> {
        serde_json::from_slice(&self.claims).map_err(|_| JwtRefusal::Claims)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwtRefusal> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| JwtRefusal::NotAJwt)
}

/// Header and claims as they are signed.
pub(crate) fn signing_input(
    header: &Header,
    claims: &impl Serialize,
) -> Result<String, serde_json::Error> {
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(header)?);
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?);
    Ok(format!("{header}.{claims}"))
}

/// Adds the signature to what was signed.
pub(crate) fn with_signature(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
    signing_input
}

#[cfg(test)]
pub(crate) mod tests;
