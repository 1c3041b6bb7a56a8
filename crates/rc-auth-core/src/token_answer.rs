//! Token answers (RFC 6749 section 5.1), read leniently where servers vary.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroize;

use crate::{Refusal, Secret, Timestamp, UnknownMembers, members::Members};

/// The tokens of one answer, dated by its arrival.
///
/// A field that is missing or odd costs only itself: above all, a refresh token that is in the answer is
/// never thrown away because of another field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TokenSet {
    /// The access token, if the answer has one that can be used as a bearer token (RFC 6749 section 7.1
    /// forbids to use a token of an unknown type).
    pub access_token: Option<Secret>,
    /// When the access token ends, by this process's wall clock.
    pub access_expires_at: Timestamp,
    /// How long the access token lives, in milliseconds from arrival.
    pub access_lifetime_ms: u64,
    /// The refresh token. RingCentral issues none unless the app has "Issue refresh tokens" switched on.
    pub refresh_token: Option<Secret>,
    /// When the refresh token ends, if the server says so.
    pub refresh_expires_at: Option<Timestamp>,
    /// The permissions granted, if the server says so.
    pub scope: Vec<String>,
    /// The extension that signed in, as a string (ids exceed 32 bits).
    pub owner_id: Option<String>,
    /// The installation that signed in.
    pub endpoint_id: Option<String>,
    /// The platform's name for this OAuth session.
    pub session_id: Option<String>,
    /// When the OAuth session ends whatever is done, if the account has an absolute session timeout.
    pub session_expires_at: Option<Timestamp>,
    /// Members of a stored pair that this version does not know.
    #[serde(flatten)]
    pub(crate) unknown: UnknownMembers,
}

/// Why an answer of the token endpoint gave no tokens.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The server answered with an error.
    #[error("the token endpoint refused: {0}")]
    Refused(Refusal),
    /// The server answered with a success that holds no token: HTML of something in between, or JSON
    /// that broke off. The request may well have been carried out.
    #[error("the token endpoint answered status {status} without a token in it: {problem}")]
    Unreadable {
        /// The status.
        status: u16,
        /// What is wrong with the body; nothing of the body itself.
        problem: &'static str,
    },
}

impl TokenSet {
    /// How long an access token is taken to live when `expires_in` is missing or unusable: RingCentral's
    /// own 3600 s. Dying earlier costs one 401.
    pub const ASSUMED_LIFETIME: Duration = Duration::from_secs(3600);

    /// Reads an answer of the token endpoint; `arrived` dates the tokens.
    ///
    /// # Errors
    ///
    /// [`TokenError::Refused`] for any status but a success, [`TokenError::Unreadable`] for a success
    /// without a token.
    pub fn from_response(
        response: &Response<Bytes>,
        arrived: Timestamp,
    ) -> Result<Self, TokenError> {
        if !response.status().is_success() {
            return Err(TokenError::Refused(Refusal::from_response(response)));
        }
        let unreadable = |problem| TokenError::Unreadable {
            status: response.status().as_u16(),
            problem,
        };
        // What is no UTF-8 costs only the text it stands in.
        let mut text = String::from_utf8_lossy(response.body());
        let set = Members::parse(&text).map(|body| Self::from_members(&body, arrived));
        if let Cow::Owned(text) = &mut text {
            text.zeroize();
        }
        let set = set.ok_or_else(|| unreadable("the body is no JSON object"))?;
        if set.access_token.is_none() && set.refresh_token.is_none() {
            return Err(unreadable("it has no usable `access_token`"));
        }
        Ok(set)
    }

    fn from_members(body: &Members<'_>, arrived: Timestamp) -> Self {
        let lifetime = seconds(body, "expires_in").unwrap_or(Self::ASSUMED_LIFETIME);
        let text = |name: &str| body.get::<Value>(name).and_then(text);
        let after = |name: &str| Some(arrived.saturating_add(seconds(body, name)?));
        Self {
            access_token: token(body, "access_token").filter(|_| is_bearer(body)),
            access_expires_at: arrived.saturating_add(lifetime),
            access_lifetime_ms: u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX),
            refresh_token: token(body, "refresh_token"),
            refresh_expires_at: after("refresh_token_expires_in"),
            scope: text("scope")
                .map(|scope| scope.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            owner_id: text("owner_id"),
            endpoint_id: text("endpoint_id"),
            session_id: text("session_id"),
            session_expires_at: after("session_expires_in"),
            unknown: UnknownMembers::default(),
        }
    }
}

/// A token is a non-empty string of visible characters: anything else could not be sent back.
fn token(body: &Members<'_>, name: &str) -> Option<Secret> {
    let token: Secret = body.get(name)?;
    let usable = !token.expose().is_empty()
        && token
            .expose()
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    usable.then_some(token)
}

/// RFC 6749 section 5.1: the type is compared without case. Missing, it is what every server here means.
fn is_bearer(body: &Members<'_>) -> bool {
    body.get::<String>("token_type")
        .is_none_or(|kind| kind.trim().eq_ignore_ascii_case("bearer"))
}

/// Strings and numbers as text: the same id is a number in one answer and a string in another.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// Seconds as a number, a fraction or a numeric string; negative ones are zero. Ten years at most.
fn seconds(body: &Members<'_>, name: &str) -> Option<Duration> {
    const MAX: f64 = 10.0 * 365.0 * 86_400.0;
    let seconds = match body.get::<Value>(name)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    seconds
        .is_finite()
        .then(|| Duration::from_secs_f64(seconds.clamp(0.0, MAX)))
}
