//! The checks of a callback (RFC 6749 sections 4.1.2 and 10.12, RFC 9207, RFC 9700 section 4.7).

use url::form_urlencoded;

use super::{AttemptName, PendingAuthorization};
use crate::{Now, Secret, error_body::ErrorWord};

/// The longest callback query that is looked at, in bytes. A code and a state are some hundreds.
pub const MAX_CALLBACK_QUERY: usize = 8 * 1024;

/// Why a callback was refused. No token request was made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The query is longer than [`MAX_CALLBACK_QUERY`].
    #[error("the callback has {bytes} bytes of parameters, far more than a sign-in sends")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A parameter occurs twice, which RFC 6749 section 3.1 forbids.
    #[error("the callback has the parameter `{parameter}` more than once")]
    Duplicate {
        /// The parameter.
        parameter: &'static str,
    },
    /// There is no state.
    #[error("the callback has no `state`")]
    MissingState,
    /// The state is not the one this browser was sent away with.
    #[error("the callback's `state` belongs to another sign-in or another browser")]
    StateMismatch,
    /// The sign-in took longer than [`PendingAuthorization::LIFETIME`].
    #[error("the sign-in took longer than ten minutes")]
    Expired,
    /// The callback names another issuer (RFC 9207): a mix-up of authorization servers.
    #[error("the callback comes from another authorization server than the one asked")]
    IssuerMismatch,
    /// The callback names no issuer although the app requires one: see [`OAuthApp::require_iss`](crate::OAuthApp::require_iss).
    #[error("the callback has no `iss`, which this application requires")]
    MissingIssuer,
    /// The platform says no.
    #[error("the platform refused the sign-in: {0}")]
    Refused(AuthorizationError),
    /// Neither a code nor an error.
    #[error("the callback has neither a `code` nor an `error`")]
    MissingCode,
}

/// The `error` of an authorization answer (RFC 6749 section 4.1.2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorizationError {
    word: ErrorWord,
}

impl AuthorizationError {
    /// The error code, for example `access_denied`; `unknown` when it is not a word the RFC allows.
    #[must_use]
    pub fn code(&self) -> &str {
        self.word.as_str()
    }

    /// Whether the user said no.
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        self.code() == "access_denied"
    }

    /// Whether the platform is out of order for now: trying again helps.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.code(), "server_error" | "temporarily_unavailable")
    }
}

impl std::fmt::Display for AuthorizationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// The parameters of a callback that mean something here. Others are ignored, as RFC 6749 demands.
#[derive(Default)]
struct Parameters {
    state: Option<Secret>,
    code: Option<Secret>,
    error: Option<String>,
    iss: Option<String>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, CallbackError> {
        if query.len() > MAX_CALLBACK_QUERY {
            return Err(CallbackError::TooLong { bytes: query.len() });
        }
        let mut found = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let seen = match &*name {
                "state" => found.state.replace(Secret::new(value)).map(|_| "state"),
                "code" => found.code.replace(Secret::new(value)).map(|_| "code"),
                "error" => found.error.replace(value.into_owned()).map(|_| "error"),
                "iss" => found.iss.replace(value.into_owned()).map(|_| "iss"),
                _ => None,
            };
            if let Some(parameter) = seen {
                return Err(CallbackError::Duplicate { parameter });
            }
        }
        Ok(found)
    }
}

/// The public name of the attempt that a callback's raw query belongs to, to find its pending
/// authorization among several. `None` when the query has no state, or is one that
/// [`PendingAuthorization::finish`] refuses unread.
///
/// ```
/// use std::time::Duration;
///
/// use rc_auth_core::{AuthorizationRequest, Entropy, Now, OAuthApp, Timestamp, callback_attempt};
///
/// let app = OAuthApp::new("example-client", None, "https://app.example.com/cb", OAuthApp::DEFAULT_SERVER)?;
/// let now = Now { wall: Timestamp::from_unix_millis(1_800_000_000_000), mono: Duration::ZERO };
/// let (url, pending) = AuthorizationRequest::new(&app).start(&Entropy::new([7; 64]), now);
/// let state = url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
///
/// let callback = format!("code=abc&state={state}");
/// assert!(callback_attempt(&callback) == Some(pending.name()));
/// assert!(callback_attempt("code=abc").is_none());
/// # Ok::<(), rc_auth_core::InvalidApp>(())
/// ```
#[must_use]
pub fn callback_attempt(query: &str) -> Option<AttemptName> {
    let state = Parameters::parse(query).ok()?.state?;
    Some(AttemptName::of_state(state.expose()))
}

pub(super) fn check(
    pending: &PendingAuthorization,
    query: &str,
    now: Now,
) -> Result<Secret, CallbackError> {
    let Parameters {
        state,
        code,
        error,
        iss,
    } = Parameters::parse(query)?;
    let state = state.ok_or(CallbackError::MissingState)?;
    if state != pending.state {
        return Err(CallbackError::StateMismatch);
    }
    if pending.is_expired(now.wall) {
        return Err(CallbackError::Expired);
    }
    // RFC 9207 section 2.4: compared as strings, for error answers too.
    match iss {
        Some(iss) if iss != pending.issuer => return Err(CallbackError::IssuerMismatch),
        None if pending.iss_required => return Err(CallbackError::MissingIssuer),
        Some(_) | None => {}
    }
    if let Some(error) = error.filter(|error| !error.is_empty()) {
        return Err(CallbackError::Refused(AuthorizationError {
            word: ErrorWord::new(&error),
        }));
    }
    code.filter(|code| !code.expose().is_empty())
        .ok_or(CallbackError::MissingCode)
}
