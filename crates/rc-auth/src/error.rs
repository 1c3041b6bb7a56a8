//! What can go wrong, by who has to do something about it.

use std::fmt;

use http::StatusCode;
use rc_auth_core::{
    AppChanged, CallbackError, EndReason, ErrorCode, Refusal, Timestamp, Trouble, Verdict,
};

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No store was given. There is no default: tokens in memory only would be lost at a restart.
    #[error("no token store: call ClientBuilder::store")]
    NoStore,
    /// The refresh policy contradicts itself.
    #[error("the refresh policy contradicts itself: {0}")]
    Policy(#[from] rc_auth_core::InvalidPolicy),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made")]
    Transport(#[from] rc_http::BuildError),
    /// The operating system gives no randomness.
    #[error(transparent)]
    Entropy(#[from] crate::NoRandomness),
    /// There is no tokio runtime here to run background tasks on.
    #[error("no tokio runtime: build the client inside one, or call ClientBuilder::runtime")]
    NoRuntime,
}

/// Why a sign-in did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The callback failed a check. No token request was made.
    #[error("{0}")]
    Callback(#[from] CallbackError),
    /// The app's configuration is not that of the start of the sign-in. No token request was made.
    #[error(transparent)]
    AppChanged(#[from] AppChanged),
    /// This state was used before, and what came of it is gone.
    #[error("this sign-in was finished before; start a new one")]
    AlreadyUsed,
    /// The platform does not take the code: it expired or was used. A new sign-in helps.
    #[error("the platform did not accept the authorization code ({0}); start the sign-in again")]
    CodeRefused(Refusal),
    /// The app is not registered as this configuration says. A person has to compare the two.
    #[error("the platform refused this app ({0}). {advice}", advice = Verdict::FixApp.advice())]
    AppRefused(Refusal),
    /// The user or the account may not use this app.
    #[error("the platform does not let this user use the app ({0}). {advice}", advice = Verdict::Permission.advice())]
    NotPermitted(Refusal),
    /// The platform or the store did not answer in time. Starting again helps, later.
    #[error("the sign-in could not be finished: {}", Because(Some(trouble), *retry_at))]
    Unavailable {
        /// What went wrong.
        trouble: Trouble,
        /// From when trying again makes sense, if that is known.
        retry_at: Option<Timestamp>,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no random numbers")]
    Entropy,
}

/// Why there is no access token.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The grant is over: only a new sign-in helps.
    #[error("sign in again: {}", reason.explanation())]
    SignInAgain {
        /// Why.
        reason: EndReason,
    },
    /// The grant is kept, and nothing can be had of it now.
    #[error("not available now, the sign-in is kept: {}", Because(trouble.as_deref(), *retry_at))]
    Unavailable {
        /// From when trying again makes sense, if that is known.
        retry_at: Option<Timestamp>,
        /// What went wrong last, if anything is known to have.
        trouble: Option<Box<Trouble>>,
    },
    /// A refresh was asked for, and the grant has no refresh token. The access token may still be good.
    #[error(
        "this sign-in has no refresh token: switch on \"Issue refresh tokens\" in the app's settings in \
         RingCentral's developer console, then sign in again"
    )]
    NotRefreshable,
}

/// What went wrong, and how long there is nothing to be had where a rate limit is the cause.
struct Because<'a>(Option<&'a Trouble>, Option<Timestamp>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(trouble, retry_at) = self;
        match (trouble, retry_at) {
            (Some(trouble @ Trouble::RateLimited), Some(until)) => {
                write!(f, "{trouble} until {until}")
            }
            (
                Some(
                    trouble @ Trouble::Refused {
                        verdict: Verdict::Wait { .. },
                        ..
                    },
                ),
                Some(until),
            ) => write!(f, "{trouble} Not before {until}."),
            (Some(trouble), _) => trouble.fmt(f),
            (None, _) => f.write_str("the answer takes longer than this call may wait"),
        }
    }
}

/// Why a call of the API gave no answer that can be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no access token to call with.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The API refused.
    #[error("{method} {path} was refused: {refusal}. {}", verdict.advice())]
    Refused {
        /// The method.
        method: http::Method,
        /// The path, without its query.
        path: String,
        /// The answer.
        refusal: Box<Refusal>,
        /// What it calls for.
        verdict: Verdict,
    },
    /// The rate limit of a group of calls is used up. Nothing is sent in it before `retry_at`, because
    /// every request would start the penalty anew.
    #[error("the rate limit{} is used up until {retry_at}", Group(group.as_deref()))]
    RateLimited {
        /// The platform's name of the group, if known.
        group: Option<String>,
        /// When it opens again.
        retry_at: Timestamp,
    },
    /// The platform did not answer, or is in trouble.
    #[error("{method} {path} got no answer: {trouble}")]
    Unavailable {
        /// The method.
        method: http::Method,
        /// The path, without its query.
        path: String,
        /// What went wrong.
        trouble: Trouble,
        /// From when trying again makes sense, if that is known.
        retry_at: Option<Timestamp>,
    },
    /// The path is not one of the configured platform's: the token goes nowhere else.
    #[error(
        "a path of the API starts with one `/`, for example /restapi/v1.0/account/~/extension/~"
    )]
    InvalidPath,
    /// The body of the request cannot be written as JSON.
    #[error("the body of the request cannot be written as JSON")]
    InvalidBody,
    /// The answer is not the JSON that was asked for.
    #[error("the answer (status {status}) is not the JSON that was expected: {problem}")]
    UnexpectedBody {
        /// The status.
        status: StatusCode,
        /// What is wrong, without a word of the body.
        problem: String,
    },
}

struct Group<'a>(Option<&'a str>);

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |group| write!(f, " of the group {group}"))
    }
}

impl CallError {
    /// The platform's code, such as `CMN-408`, if it named one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Grant(_)
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::InvalidPath
            | Self::InvalidBody
            | Self::UnexpectedBody { .. } => None,
        }
    }
}

/// An error with its causes, on one line.
pub(crate) struct ErrorChain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
