//! Errors of `rc-auth-web` as problems.

use std::time::Duration;

use actix_web::http::StatusCode;
use rc_auth_web::{BeginError, FinishError, ForeignForm, SessionStoreError};

use super::{Problem, RetryAfter};

impl From<BeginError> for Problem {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::SignIn(error) => (*error).into(),
            error => Self::internal(&error),
        }
    }
}

impl From<FinishError> for Problem {
    fn from(error: FinishError) -> Self {
        match error {
            FinishError::Malformed => Self::malformed_callback(),
            FinishError::Foreign => Self::foreign_callback(),
            FinishError::Busy { retry_after } => busy(retry_after),
            FinishError::TooManyRefused { retry_after } => too_many_refused(retry_after),
            FinishError::SignIn(error) => error.into(),
            FinishError::SessionStore(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<SessionStoreError> for Problem {
    fn from(error: SessionStoreError) -> Self {
        Self::unavailable(None).because(&error)
    }
}

impl From<ForeignForm> for Problem {
    fn from(_: ForeignForm) -> Self {
        Self::foreign_form()
    }
}

fn busy(retry_after: Duration) -> Problem {
    waiting(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too many people are signing in",
        "More sign-ins arrived at once than this application finishes at a time. Yours was not used and \
         stays valid.",
        retry_after,
    )
}

fn too_many_refused(retry_after: Duration) -> Problem {
    waiting(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_refused",
        "Too many sign-ins from your network",
        "RingCentral refused several sign-ins that came from your network address, or several are being \
         checked right now. Yours was not used and stays valid.",
        retry_after,
    )
}

fn waiting(
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    happened: &str,
    wait: Duration,
) -> Problem {
    let retry_after = RetryAfter::In(wait);
    let seconds = retry_after.seconds().unwrap_or_default();
    let what_to_do = format!("Wait {seconds} seconds, then reload this page.");
    let mut problem = Problem::new(status, code, title, happened, what_to_do);
    problem.retry_after = retry_after;
    problem
}
