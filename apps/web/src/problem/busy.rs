//! Callbacks that have to wait, as problems.

use actix_web::http::StatusCode;

use super::{Problem, RetryAfter};
use crate::code_exchanges::NotNow;

impl From<NotNow> for Problem {
    fn from(not_now: NotNow) -> Self {
        match not_now {
            NotNow::Busy { retry_after } => {
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "busy",
                    "Too many people are signing in",
                    "More sign-ins arrived at once than this application finishes at a time. Yours was not \
                     used and stays valid.",
                    "Wait some seconds, then reload this page.",
                );
                problem.retry_after = RetryAfter::In(retry_after);
                problem
            }
            NotNow::TooManyRefused { retry_after } => {
                let mut problem = Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_refused",
                    "Too many sign-ins from your network",
                    "RingCentral refused several sign-ins that came from your network address, or several are \
                     being checked right now. Yours was not used and stays valid for ten minutes from its start.",
                    "Wait a minute, then reload this page.",
                );
                problem.retry_after = RetryAfter::In(retry_after);
                problem
            }
        }
    }
}
