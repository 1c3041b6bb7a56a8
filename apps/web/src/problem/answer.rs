//! Problems as answers: a page, or JSON.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use askama::Template;
use rc_auth::Timestamp;

use super::{Action, Problem, RetryAfter};
use crate::{pages, request_log::Reference};

/// Seconds after which to try again when nobody said when.
const DEFAULT_RETRY_AFTER: u64 = 5;

#[derive(Debug, Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    problem: &'a Problem,
    sign_in: bool,
    reference: &'a str,
}

impl Problem {
    fn answer(&self) -> (Reference, HttpResponseBuilder) {
        let reference = Reference::next();
        let Self {
            status,
            code,
            cause,
            ..
        } = self;
        let cause = cause.as_deref().unwrap_or("-");
        if status.is_server_error() {
            tracing::warn!(%reference, code, cause, "answering {}", status.as_u16());
        } else {
            tracing::info!(%reference, code, cause, "answering {}", status.as_u16());
        }
        let mut response = HttpResponse::build(*status);
        response.insert_header(("x-request-id", reference.to_string()));
        if *status == StatusCode::REQUEST_TIMEOUT {
            response.force_close(); // the rest of the request is not waited for
        }
        if let Some(seconds) = self.retry_after.seconds() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        (reference, response)
    }

    fn page(&self) -> HttpResponse {
        let (reference, mut response) = self.answer();
        let page = ProblemPage {
            problem: self,
            sign_in: self.action == Action::SignIn,
            reference: &reference.to_string(),
        };
        pages::answer(&mut response, &page)
    }

    fn json(&self) -> HttpResponse {
        let (reference, mut response) = self.answer();
        response.json(serde_json::json!({
            "error": self.code,
            "message": self.happened,
            "what_to_do": self.what_to_do,
            "request_id": reference.to_string(),
        }))
    }
}

impl RetryAfter {
    /// The value of `Retry-After`; never zero, which means "at once".
    pub(super) fn seconds(self) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Soon => Some(DEFAULT_RETRY_AFTER),
            Self::In(wait) => {
                let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Some(whole.max(1))
            }
            Self::At(then) => {
                let wait = then.saturating_since(wall());
                Some(wait.as_secs().saturating_add(1))
            }
        }
    }
}

/// The system's wall clock: a problem becomes an answer far from everything that is injected.
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.page()
    }
}

/// A problem on an address for programs.
#[derive(Debug)]
pub(crate) struct JsonProblem(Problem);

impl<E: Into<Problem>> From<E> for JsonProblem {
    fn from(problem: E) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for JsonProblem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.0.json()
    }
}
