//! What went wrong, in words for the person in front of the browser.
//!
//! A status, a stable code, what happened and what to do. Shown as a page, or as JSON on `/me`.

use std::{fmt, time::Duration};

use actix_web::http::StatusCode;
use rc_auth::Timestamp;

mod answer;
mod auth;
mod web_auth;

pub(crate) use answer::JsonProblem;
pub(crate) use auth::ended;

/// When trying again makes sense.
#[derive(Clone, Copy, Debug)]
enum RetryAfter {
    /// Never by itself.
    Never,
    /// Soon.
    Soon,
    /// From a moment on.
    At(Timestamp),
    /// After a time.
    In(Duration),
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// A stable name for programs.
    pub code: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What happened.
    pub happened: String,
    /// What to do about it.
    pub what_to_do: String,
    /// The button.
    pub action: Action,
    retry_after: RetryAfter,
    cause: Option<String>,
}

/// Where the button of an error page leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// To a new sign-in.
    SignIn,
    /// To the start page.
    Home,
}

impl Problem {
    /// A problem in the words given.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        happened: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            happened: happened.into(),
            what_to_do: what_to_do.into(),
            action: Action::Home,
            retry_after: RetryAfter::Never,
            cause: None,
        }
    }

    fn sign_in(mut self) -> Self {
        self.action = Action::SignIn;
        self
    }

    fn because(mut self, cause: &impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Nothing is at this address.
    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no such page",
            "Nothing is at this address.",
            "Check the address, or go to the start page.",
        )
    }

    /// The address exists, but not for this method.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This address is used another way",
            "The address exists, but not for this kind of request.",
            "Go to the start page and use the buttons there.",
        )
    }

    /// A form that did not come from this browser session.
    pub(crate) fn foreign_form() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign_form",
            "This form is not from your current sign-in",
            "The form was sent from another site, or from a page opened before you last signed in. \
             Nothing was changed.",
            "Go to the start page and try again from there.",
        )
    }

    /// A form that cannot be read: 400, 413 when it is too large, 408 when it takes too long.
    pub(crate) fn unreadable_form(status: StatusCode) -> Self {
        Self::new(
            status,
            "unreadable_form",
            "The form could not be read",
            "What was sent is not a form of this application, or did not arrive in time. Nothing was \
             changed.",
            "Go to the start page and try again from there.",
        )
    }

    /// A callback without one usable `state`.
    pub(crate) fn malformed_callback() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "callback_malformed",
            "This is not an answer to a sign-in",
            "The address that led here does not belong to a sign-in started in this application.",
            "Start a new sign-in.",
        )
        .sign_in()
    }

    /// A callback whose sign-in this browser does not know.
    pub(crate) fn foreign_callback() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "callback_unknown",
            "This browser has no such sign-in",
            "The sign-in was already finished, took longer than ten minutes, or was started in another \
             browser. Cookies must be allowed for it to work.",
            "If you already signed in, go to the start page. Otherwise start a new sign-in.",
        )
        .sign_in()
    }

    /// Something that should not happen.
    pub(crate) fn internal(cause: &impl fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here",
            "The application could not do this. It is not your fault.",
            "Try again. If it happens again, tell the operator the reference below.",
        )
        .because(cause)
    }

    /// `/me` without a browser session.
    pub(crate) fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            "You are not signed in",
            "This browser is not signed in.",
            "Sign in at /login.",
        )
        .sign_in()
    }

    /// The platform takes longer than anybody wants to look at a blank page.
    pub(crate) fn slow_platform() -> Self {
        let mut problem = Self::unavailable(None);
        // What the page waited for goes on: the answer may be there at once.
        problem.retry_after = RetryAfter::In(Duration::from_secs(1));
        "RingCentral takes longer to answer than this page waits."
            .clone_into(&mut problem.happened);
        problem
    }

    /// The store takes longer than anybody wants to look at a blank page.
    pub(crate) fn slow_database() -> Self {
        let mut problem = Self::unavailable(None);
        problem.retry_after = RetryAfter::In(Duration::from_secs(1));
        "The database takes longer to answer than this page waits; what you asked for may still be done."
            .clone_into(&mut problem.happened);
        problem
    }

    fn unavailable(retry_at: Option<Timestamp>) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "RingCentral cannot be reached right now",
            "RingCentral or the database did not answer as it should. If you were signed in, you still are.",
            "Wait a moment, then try again.",
        );
        problem.retry_after = retry_at.map_or(RetryAfter::Soon, RetryAfter::At);
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.happened)
    }
}
