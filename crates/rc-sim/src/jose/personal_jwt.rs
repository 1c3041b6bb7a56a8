//! Personal JWTs: what a user copies from the developer console and an app exchanges for tokens.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{jwt::JwtRefusal, keys::SigningKeys, numeric_date::NumericDate};
use crate::{seed::Seed, timestamp::Timestamp};

/// Platform §3: `iss` is the platform's URL and `aud` its token endpoint. These two are fixed, because a JWT
/// is printed before the platform listens and outlives every port it will listen on; a personal JWT is
/// recognised by its signature and `jti` alone.
const ISSUER: &str = "http://rc-sim.example";
const AUDIENCE: &str = "http://rc-sim.example/restapi/oauth/token";
/// `iat` of all of them, 2024-01-01T00:00:00Z: a JWT follows from the seed alone, also where no clock is at hand.
const ISSUED_AT: Timestamp = Timestamp::from_millis(1_704_067_200_000);
/// Platform §3: one that never expires says so by an `exp` decades away. Assumed: 50 years.
const NEVER: Duration = Duration::from_secs(50 * 365 * 86_400);

/// One personal JWT. Platform §3: it belongs to a user, not to an app, and cannot be changed, only revoked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct PersonalJwt {
    pub(crate) jti: String,
    /// The user's extension id.
    pub(crate) extension_id: u64,
    /// The only apps that may use it; `None` for all apps of the organisation.
    pub(crate) client_ids: Option<Vec<String>>,
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked: bool,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'static str,
    sub: String,
    iss: &'static str,
    exp: NumericDate,
    iat: NumericDate,
    jti: &'a str,
}

impl PersonalJwt {
    /// The `serial`th JWT of a user, for all apps, that practically never expires. Signs nothing yet.
    pub(crate) fn new(seed: &Seed, extension_id: u64, serial: u32) -> Self {
        let parts: [&[u8]; 2] = [&extension_id.to_be_bytes(), &serial.to_be_bytes()];
        Self {
            jti: seed.text("personal jwt", &parts, 22),
            extension_id,
            client_ids: None,
            expires_at: ISSUED_AT.plus(NEVER),
            revoked: false,
        }
    }

    /// Restricts it to these apps.
    pub(crate) fn only_for<I: Into<String>>(self, client_ids: impl IntoIterator<Item = I>) -> Self {
        Self {
            client_ids: Some(client_ids.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// Lets it expire; to the second, as the token says it in seconds.
    pub(crate) fn expiring_at(self, expires_at: Timestamp) -> Self {
        Self {
            expires_at: Timestamp::from_millis(expires_at.millis() / 1_000 * 1_000),
            ..self
        }
    }

    /// Its text, the same each time.
    pub(crate) fn token(&self, keys: &SigningKeys) -> String {
        keys.sign_personal(&Claims {
            aud: AUDIENCE,
            sub: self.extension_id.to_string(),
            iss: ISSUER,
            exp: NumericDate(self.expires_at),
            iat: NumericDate(ISSUED_AT),
            jti: &self.jti,
        })
    }

    fn check(&self, client_id: &str, now: Timestamp) -> Result<(), PersonalJwtRefusal> {
        if self.revoked {
            return Err(PersonalJwtRefusal::Revoked);
        }
        if self.expires_at <= now {
            return Err(PersonalJwtRefusal::Expired);
        }
        match &self.client_ids {
            Some(client_ids) if !client_ids.iter().any(|id| id == client_id) => {
                Err(PersonalJwtRefusal::OtherClient)
            }
            _ => Ok(()),
        }
    }
}

/// Why a personal JWT gives no tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PersonalJwtRefusal {
    #[error(transparent)]
    Jwt(#[from] JwtRefusal),
    #[error("no personal JWT has this jti")]
    Unknown,
    #[error("the personal JWT is revoked")]
    Revoked,
    #[error("the personal JWT is expired")]
    Expired,
    #[error("the client is not allowed to use this personal JWT")]
    OtherClient,
}

/// All personal JWTs of a platform.
#[derive(Clone, Default)]
pub(crate) struct PersonalJwts {
    by_jti: HashMap<String, PersonalJwt>,
}

impl PersonalJwts {
    pub(crate) fn get(&self, jti: &str) -> Option<&PersonalJwt> {
        self.by_jti.get(jti)
    }

    /// Makes one known; until then its token is refused. Another with its `jti` is replaced.
    pub(crate) fn register(&mut self, jwt: PersonalJwt) {
        self.by_jti.insert(jwt.jti.clone(), jwt);
    }

    /// Platform §3: revocable, for good. `false` where there is none with this `jti`.
    pub(crate) fn revoke(&mut self, jti: &str) -> bool {
        let found = self.by_jti.get_mut(jti);
        found.map(|jwt| jwt.revoked = true).is_some()
    }

    /// The personal JWT that `token` is, whatever it is good for.
    pub(crate) fn find(&self, token: &str, keys: &SigningKeys) -> Option<&PersonalJwt> {
        #[derive(Deserialize)]
        struct Id {
            jti: String,
        }
        let Id { jti } = keys.verify_personal(token).ok()?;
        self.by_jti.get(&jti)
    }

    /// The personal JWT that `token` is, if `client_id` may use it at `now`. It is not single use.
    ///
    /// `iat`, `iss` and `aud` are not looked at: tests may set the clock to any time.
    pub(crate) fn verify(
        &self,
        token: &str,
        client_id: &str,
        keys: &SigningKeys,
        now: Timestamp,
    ) -> Result<&PersonalJwt, PersonalJwtRefusal> {
        #[derive(Deserialize)]
        struct Id {
            jti: String,
        }
        let Id { jti } = keys.verify_personal(token)?;
        let jwt = self.by_jti.get(&jti).ok_or(PersonalJwtRefusal::Unknown)?;
        jwt.check(client_id, now)?;
        Ok(jwt)
    }
}

#[cfg(test)]
mod tests;
