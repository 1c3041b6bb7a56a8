//! What handlers fail with.

use http::StatusCode;
use rc_auth::{CallError, GrantError, Timestamp};

use super::{Answer, page};
use crate::SessionStoreError;

/// Why a handler has no answer, for `?` in handlers: made of [`CallError`], [`GrantError`] and
/// [`SessionStoreError`], and turned into an answer by the framework.
///
/// | Cause | Answer |
/// |---|---|
/// | nobody is signed in, or the grant is over | browsers go to the sign-in and come back; others get 401 |
/// | a rate limit is used up, the platform or a store does not answer | 503, with `Retry-After` if known |
/// | the API refused with 403 or 404 | the same |
/// | the API refused otherwise, or its answer cannot be read | 502 |
/// | the app lacks refresh tokens; a path or body cannot be sent | 500 |
///
/// A browser is who sends a `GET` and accepts `text/html`; browsers get a small page, others JSON with the members
/// `error` and `message`. Both show the error's text. Those of 5xx are written to the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    kind: Kind,
    text: String,
    retry_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    SignInNeeded,
    Forbidden,
    NotFound,
    Platform,
    Unavailable,
    Internal,
}

impl Problem {
    fn new(kind: Kind, text: impl ToString, retry_at: Option<Timestamp>) -> Self {
        let text = text.to_string();
        Self {
            kind,
            text,
            retry_at,
        }
    }

    pub(crate) fn not_signed_in() -> Self {
        Self::new(Kind::SignInNeeded, "nobody is signed in here", None)
    }

    /// The request did not come through the middleware.
    pub(crate) fn no_middleware() -> Self {
        let text = "the middleware of rc_auth_web is not around this route: nothing was checked";
        Self::new(Kind::Internal, text, None)
    }

    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            Kind::SignInNeeded => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Platform => StatusCode::BAD_GATEWAY,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether signing in is what helps.
    #[must_use]
    pub fn is_sign_in_needed(&self) -> bool {
        self.kind == Kind::SignInNeeded
    }

    /// From when trying again makes sense, if that is known.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    pub(super) const fn title(&self) -> &'static str {
        match self.kind {
            Kind::SignInNeeded => "Sign in first",
            Kind::Forbidden => "Not allowed",
            Kind::NotFound => "Not found",
            Kind::Platform => "RingCentral refused",
            Kind::Unavailable => "Not available now",
            Kind::Internal => "Something is wrong here",
        }
    }

    const fn code(&self) -> &'static str {
        match self.kind {
            Kind::SignInNeeded => "sign_in_needed",
            Kind::Forbidden => "forbidden",
            Kind::NotFound => "not_found",
            Kind::Platform => "platform_refused",
            Kind::Unavailable => "unavailable",
            Kind::Internal => "internal",
        }
    }

    /// The answer to a program.
    pub(crate) fn json(&self) -> Answer {
        let body = serde_json::json!({ "error": self.code(), "message": self.text });
        page::answer(self.status(), "application/json", body.to_string())
    }
}

impl From<SessionStoreError> for Problem {
    fn from(error: SessionStoreError) -> Self {
        Self::new(Kind::Unavailable, error, None)
    }
}

impl From<GrantError> for Problem {
    fn from(error: GrantError) -> Self {
        let (kind, retry_at) = match &error {
            GrantError::SignInAgain { .. } => (Kind::SignInNeeded, None),
            GrantError::Unavailable { retry_at, .. } => (Kind::Unavailable, *retry_at),
            _ => (Kind::Internal, None),
        };
        Self::new(kind, error, retry_at)
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let (kind, retry_at) = match &error {
            CallError::Grant(error) => return error.clone().into(),
            CallError::Refused { refusal, .. } => (refused(refusal.status()), None),
            CallError::RateLimited { retry_at, .. } => (Kind::Unavailable, Some(*retry_at)),
            CallError::Unavailable { retry_at, .. } => (Kind::Unavailable, *retry_at),
            CallError::UnexpectedBody { .. } => (Kind::Platform, None),
            _ => (Kind::Internal, None),
        };
        Self::new(kind, error, retry_at)
    }
}

const fn refused(status: StatusCode) -> Kind {
    match status {
        StatusCode::FORBIDDEN => Kind::Forbidden,
        StatusCode::NOT_FOUND => Kind::NotFound,
        _ => Kind::Platform,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_is_the_platforms_problem_and_a_wrong_path_our_own() {
        let unexpected = CallError::UnexpectedBody {
            status: StatusCode::OK,
            problem: "no JSON".to_owned(),
        };
        assert_eq!(Problem::from(unexpected).code(), "platform_refused");
        assert_eq!(Problem::from(CallError::InvalidPath).code(), "internal");
    }
}
