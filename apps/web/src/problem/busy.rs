//! Callbacks that have to wait, as problems.

use std::time::Duration;

use actix_web::http::StatusCode;

use super::{Problem, RetryAfter};
use crate::code_exchanges::NotNow;

impl From<NotNow> for Problem {
    fn from(not_now: NotNow) -> Self {
        match not_now {
            NotNow::Busy { retry_after } => waiting(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many people are signing in",
                "More sign-ins arrived at once than this application finishes at a time. Yours was not \
                 used and stays valid.",
                retry_after,
            ),
            NotNow::TooManyRefused { retry_after } => waiting(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_refused",
                "Too many sign-ins from your network",
                "RingCentral refused several sign-ins that came from your network address, or several are \
                 being checked right now. Yours was not used and stays valid.",
                retry_after,
            ),
        }
    }
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
