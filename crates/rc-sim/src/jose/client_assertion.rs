//! Clients that prove themselves by a signed token (RFC 7523 sections 2.2 and 3).
//!
//! Platform §3: `client_secret_jwt` and `private_key_jwt`. What is checked beside the signature is assumed
//! to be what the RFC and OpenID Connect Core section 9 ask for.

use std::time::Duration;

use serde::Deserialize;

use super::{
    jti_cache::{JtiCache, Spent},
    jwt::{JwtRefusal, Unverified, VerifyingKey},
    numeric_date::NumericDate,
};
use crate::timestamp::Timestamp;

/// How far ahead an assertion may expire. Assumed: one hour.
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(3_600);
/// How far a client's clock may be ahead of the platform's. Assumed: one minute.
const LEEWAY: Duration = Duration::from_secs(60);

/// What an assertion has to say.
pub(crate) struct Expected<'a> {
    pub(crate) client_id: &'a str,
    /// Any one of them will do: the token endpoint's URL and the issuer.
    pub(crate) audiences: &'a [&'a str],
    pub(crate) longest_life: Duration,
    pub(crate) now: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: String,
}

/// RFC 7519 section 4.1.3: one or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names_one_of(&self, audiences: &[&str]) -> bool {
        let named = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        };
        named.iter().any(|name| audiences.contains(&name.as_str()))
    }
}

/// Why a client is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum AssertionRefusal {
    #[error(transparent)]
    Jwt(#[from] JwtRefusal),
    #[error("iss and sub are not the client's id")]
    Client,
    #[error("aud names neither the token endpoint nor the issuer")]
    Audience,
    #[error("the assertion is expired")]
    Expired,
    #[error("the assertion expires too far in the future")]
    TooLongLived,
    #[error("the assertion is not valid yet")]
    NotYetValid,
    #[error("the assertion was issued in the future")]
    IssuedInTheFuture,
    #[error("jti is empty")]
    NoId,
    #[error("the assertion was used before")]
    Replayed,
}

/// The client an assertion claims to be from, to be looked up before [`verify`] can be called.
pub(crate) fn claimed_client_id(assertion: &str) -> Result<String, AssertionRefusal> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let Subject { sub } = Unverified::parse(assertion)?.unverified_claims()?;
    Ok(sub)
}

/// Checks an assertion with the client's secret or public key, and spends it.
///
/// A refused assertion is not spent, so that nobody can use up the ids of another client.
pub(crate) fn verify(
    assertion: &str,
    key: VerifyingKey<'_>,
    expected: &Expected<'_>,
    used: &mut JtiCache,
) -> Result<Spent, AssertionRefusal> {
    let claims: Claims = Unverified::parse(assertion)?.verify(key)?;
    claims.check(expected)?;
    if used.spend(expected.client_id, &claims.jti, claims.exp.0, expected.now) {
        Ok(JtiCache::record(
            expected.client_id,
            &claims.jti,
            claims.exp.0,
        ))
    } else {
        Err(AssertionRefusal::Replayed)
    }
}

impl Claims {
    fn check(&self, expected: &Expected<'_>) -> Result<(), AssertionRefusal> {
        if self.iss != expected.client_id || self.sub != expected.client_id {
            return Err(AssertionRefusal::Client);
        }
        if !self.aud.names_one_of(expected.audiences) {
            return Err(AssertionRefusal::Audience);
        }
        if self.jti.is_empty() {
            return Err(AssertionRefusal::NoId);
        }
        self.check_times(expected)
    }

    fn check_times(&self, expected: &Expected<'_>) -> Result<(), AssertionRefusal> {
        let now = expected.now;
        let latest_now = now.plus(LEEWAY);
        if self.exp.0 <= now {
            return Err(AssertionRefusal::Expired);
        }
        if self.exp.0 > latest_now.plus(expected.longest_life) {
            return Err(AssertionRefusal::TooLongLived);
        }
        if self.nbf.is_some_and(|nbf| nbf.0 > latest_now) {
            return Err(AssertionRefusal::NotYetValid);
        }
        if self.iat.is_some_and(|iat| iat.0 > latest_now) {
            return Err(AssertionRefusal::IssuedInTheFuture);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
