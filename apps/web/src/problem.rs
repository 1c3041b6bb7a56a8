//! What went wrong, in words for the person in front of the browser.
//!
//! The one place that turns errors of `rc-auth` into answers: a status, a stable code, what happened and
//! what to do. Shown as a page, or as JSON on `/me`.

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use rc_auth::{
    AuthorizationError, CallError, CallbackError, Clock as _, EndReason, GrantError, Refusal,
    SignInError, SystemClock, Timestamp, Trouble, Verdict,
};

use crate::{pages, request_log::Reference};

/// Seconds after which to try again when nobody said when.
const DEFAULT_RETRY_AFTER: u64 = 5;

/// When trying again makes sense.
#[derive(Clone, Copy, Debug)]
enum RetryAfter {
    /// Never by itself.
    Never,
    /// Soon.
    Soon,
    /// From a moment on.
    At(Timestamp),
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

    /// A form that cannot be read.
    pub(crate) fn unreadable_form(too_large: bool) -> Self {
        let status = if too_large {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        };
        Self::new(
            status,
            "unreadable_form",
            "The form could not be read",
            "What was sent is not a form of this application. Nothing was changed.",
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
        if let Some(seconds) = self.retry_after.seconds() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        (reference, response)
    }

    fn page(&self) -> HttpResponse {
        let (reference, mut response) = self.answer();
        pages::problem(&mut response, self, &reference.to_string())
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
    fn seconds(self) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Soon => Some(DEFAULT_RETRY_AFTER),
            Self::At(then) => {
                let wait = then.saturating_since(SystemClock::new().wall());
                Some(wait.as_secs().saturating_add(1))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.happened)
    }
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

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        let cause = error.to_string();
        match error {
            SignInError::Callback(CallbackError::Refused(error)) => denied(&error),
            SignInError::Callback(error) => bad_callback(&error),
            SignInError::AppChanged(_) | SignInError::AlreadyUsed => already_used(),
            SignInError::CodeRefused(_) => code_refused(),
            SignInError::AppRefused(refusal) => app_refused(&refusal),
            SignInError::NotPermitted(refusal) => not_permitted(&refusal),
            SignInError::Unavailable {
                trouble: Trouble::Unreadable,
                ..
            } => bad_answer(),
            SignInError::Unavailable { retry_at, .. } => sign_in_unavailable(retry_at),
            _ => Self::internal(&cause),
        }
        .because(&cause)
    }
}

fn bad_callback(error: &CallbackError) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "callback_refused",
        "This sign-in could not be finished",
        format!("The answer from RingCentral failed a check and was not used: {error}."),
        "Start a new sign-in.",
    )
    .sign_in()
}

fn denied(error: &AuthorizationError) -> Problem {
    let happened = if error.is_access_denied() {
        "You or your administrator did not allow this application to use your account.".to_owned()
    } else {
        format!("RingCentral refused this sign-in: {}.", error.code())
    };
    Problem::new(
        StatusCode::FORBIDDEN,
        "denied",
        "RingCentral did not sign you in",
        happened,
        "Nothing was changed. Sign in again if that was a mistake.",
    )
    .sign_in()
}

fn already_used() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "callback_used",
        "This sign-in was used before",
        "An address that finishes a sign-in works once.",
        "Start a new sign-in.",
    )
    .sign_in()
}

fn code_refused() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "code_refused",
        "RingCentral did not accept the sign-in",
        "The code from RingCentral expired or was used before.",
        "Start a new sign-in.",
    )
    .sign_in()
}

fn app_refused(refusal: &Refusal) -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "app_refused",
        "This application is not set up correctly",
        format!("RingCentral does not accept how this application presents itself ({refusal})."),
        Verdict::FixApp.advice(),
    )
}

fn not_permitted(refusal: &Refusal) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "not_permitted",
        "Your account may not use this application",
        format!(
            "Your role or your company\u{2019}s settings at RingCentral do not allow it ({refusal})."
        ),
        Verdict::Permission.advice(),
    )
}

fn sign_in_unavailable(retry_at: Option<Timestamp>) -> Problem {
    let mut problem = Problem::unavailable(retry_at).sign_in();
    problem.happened =
        "RingCentral or the database did not answer as it should, so the sign-in could \
        not be finished."
            .to_owned();
    problem.what_to_do = "Wait a moment, then start a new sign-in.".to_owned();
    problem
}

fn bad_answer() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "bad_answer",
        "RingCentral\u{2019}s answer makes no sense",
        "The sign-in could not be finished because the answer to it cannot be read.",
        "Start a new sign-in. If it happens again, tell the operator the reference below.",
    )
    .sign_in()
}

impl From<GrantError> for Problem {
    fn from(error: GrantError) -> Self {
        let cause = error.to_string();
        match error {
            GrantError::SignInAgain { reason } => sign_in_again(reason),
            GrantError::Unavailable { retry_at, .. } => Self::unavailable(retry_at),
            GrantError::NotRefreshable => not_refreshable(),
            _ => Self::internal(&cause),
        }
        .because(&cause)
    }
}

fn sign_in_again(reason: EndReason) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "sign_in_again",
        "You need to sign in again",
        ended(reason),
        "Sign in again.",
    )
    .sign_in()
}

/// Why a sign-in is over, as a sentence.
pub(crate) fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Absent => "This sign-in is no longer known here.",
        EndReason::SignedOut => "This sign-in was signed out.",
        _ => reason.explanation(),
    }
}

fn not_refreshable() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not_refreshable",
        "This sign-in cannot be extended",
        "RingCentral gave this application no refresh token.",
        "Switch on \u{201c}Issue refresh tokens\u{201d} for the app in the RingCentral developer console, \
         then sign in again. Until the access token expires everything works as it is.",
    )
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let cause = error.to_string();
        match error {
            CallError::Grant(error) => return error.into(),
            CallError::Refused {
                refusal, verdict, ..
            } => refused(&refusal, verdict),
            CallError::RateLimited { retry_at, .. } => rate_limited(retry_at),
            CallError::Unavailable { retry_at, .. } => Self::unavailable(retry_at),
            CallError::UnexpectedBody { .. } => unexpected_body(),
            _ => Self::internal(&cause),
        }
        .because(&cause)
    }
}

fn refused(refusal: &Refusal, verdict: Verdict) -> Problem {
    let status = match verdict {
        Verdict::Permission => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_GATEWAY,
    };
    let message = refusal
        .message()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    Problem::new(
        status,
        "refused",
        "RingCentral refused the call",
        format!("RingCentral answered with {refusal}{message}"),
        verdict.advice(),
    )
}

fn rate_limited(retry_at: Timestamp) -> Problem {
    let mut problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "rate_limited",
        "Too many requests",
        "RingCentral limits how often it may be asked, and the limit is reached.",
        "Wait a moment, then try again.",
    );
    problem.retry_after = RetryAfter::At(retry_at);
    problem
}

fn unexpected_body() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "bad_answer",
        "RingCentral\u{2019}s answer makes no sense",
        "The answer to the call is not the JSON it should be.",
        "Try again. If it happens again, tell the operator the reference below.",
    )
}
