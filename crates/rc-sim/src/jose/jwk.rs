//! Public keys as JSON (RFC 7517, RFC 7518 section 6.3).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::{Deserialize, Serialize};

/// A public RSA key. Members that it does not know are ignored, as RFC 7517 section 4 asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Jwk {
    kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    n: String,
    e: String,
}

/// Platform §1: `{"keys":[{kty,alg,use,kid,n,e}]}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct JwkSet {
    pub(crate) keys: Vec<Jwk>,
}

impl Jwk {
    /// A key for RS256 signatures; `n` and `e` are big-endian numbers without leading zeros.
    pub(crate) fn rs256(kid: String, n: &[u8], e: &[u8]) -> Self {
        Self {
            kty: "RSA".into(),
            alg: Some("RS256".into()),
            usage: Some("sig".into()),
            kid: Some(kid),
            n: URL_SAFE_NO_PAD.encode(n),
            e: URL_SAFE_NO_PAD.encode(e),
        }
    }

    /// Whether `signature` is this key's RS256 signature of `message`. A key of another kind, use or
    /// algorithm, or one shorter than 2048 bits, has signed nothing.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let for_rs256 = self.kty == "RSA"
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let (Ok(n), Ok(e)) = (
            URL_SAFE_NO_PAD.decode(&self.n),
            URL_SAFE_NO_PAD.decode(&self.e),
        ) else {
            return false;
        };
        for_rs256
            && RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok()
    }
}
