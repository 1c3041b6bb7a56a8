//! Errors of `rc-auth` as problems: the one place that knows them.

use actix_web::http::StatusCode;
use rc_auth::{
    AuthorizationError, CallError, CallbackError, EndReason, GrantError, Refusal, SignInError,
    Timestamp, Trouble, Verdict,
};

use super::{Problem, RetryAfter};

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
