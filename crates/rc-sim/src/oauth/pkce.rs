//! Proof key for code exchange (RFC 7636).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the code's owner has to prove knowledge of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Challenge {
    Plain(String),
    S256(String),
}

impl Challenge {
    /// Reads the two parameters of the authorization request.
    pub(crate) fn parse(
        challenge: Option<&str>,
        method: Option<&str>,
    ) -> Result<Option<Self>, &'static str> {
        let Some(challenge) = challenge else {
            return match method {
                Some(_) => Err("Parameter [code_challenge] is missing"),
                None => Ok(None),
            };
        };
        if !is_verifier(challenge) {
            return Err("Parameter [code_challenge] is invalid");
        }
        match method {
            Some("S256") if challenge.len() == 43 => Ok(Some(Self::S256(challenge.into()))),
            Some("S256") => Err("Parameter [code_challenge] is invalid"),
            // Platform §2: `plain` is the schema's default (RFC 7636 section 4.3).
            Some("plain") | None => Ok(Some(Self::Plain(challenge.into()))),
            Some(_) => Err("Parameter [code_challenge_method] is invalid"),
        }
    }

    /// RFC 7636 section 4.6.
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        match self {
            Self::Plain(challenge) => challenge == verifier,
            Self::S256(challenge) => {
                URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == *challenge
            }
        }
    }
}

/// RFC 7636 section 4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn rfc_7636_appendix_b() {
        let challenge = Challenge::parse(Some(CHALLENGE), Some("S256"))
            .unwrap()
            .unwrap();
        assert!(challenge.is_met_by(VERIFIER));
        assert!(!challenge.is_met_by(CHALLENGE));
    }

    #[test]
    fn plain_is_the_default_method() {
        let challenge = Challenge::parse(Some(VERIFIER), None).unwrap().unwrap();
        assert_eq!(challenge, Challenge::Plain(VERIFIER.into()));
        assert!(challenge.is_met_by(VERIFIER));
    }

    #[test]
    fn malformed_challenges_are_refused() {
        for (challenge, method) in [
            (None, Some("S256")),
            (Some("short"), Some("S256")),
            (Some("short"), None),
            (Some(CHALLENGE), Some("s256")),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"),
                Some("S256"),
            ),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cMx"),
                Some("S256"),
            ),
        ] {
            assert!(
                Challenge::parse(challenge, method).is_err(),
                "{challenge:?} {method:?}"
            );
        }
        assert_eq!(Challenge::parse(None, None), Ok(None));
    }
}
