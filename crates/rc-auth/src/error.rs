//! What can go wrong, by who has to do something about it.

use std::fmt;

use http::StatusCode;
use rc_auth_core::{
    AppChanged, CallbackError, Closed, EndReason, ErrorCode, Now, Refusal, Timestamp, Trouble,
    Verdict,
};

/// Why a client could not be built.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No store was given. There is no default: tokens in memory only would be lost at a restart.
    #[error("no token store: call ClientBuilder::store")]
    NoStore,
    /// The refresh policy contradicts itself.
    #[error("the refresh policy contradicts itself")]
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

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ErrorChain(self), f)
    }
}

/// Why a sign-in did not succeed.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The callback failed a check. No token request was made.
    #[error(transparent)]
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

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ErrorChain(self), f)
    }
}

/// Why there is no access token.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The grant is over: only a new sign-in helps.
    #[error("sign in again: {}", reason.explanation())]
    SignInAgain {
        /// Why.
        reason: EndReason,
    },
    /// The grant is kept, and gives no access token now.
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

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ErrorChain(self), f)
    }
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
///
/// ```no_run
/// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
/// use rc_auth::{CallError, GrantError};
///
/// match grant.get("/restapi/v1.0/account/~").await {
///     Ok(answer) => println!("{}", answer.status),
///     Err(CallError::Grant(GrantError::SignInAgain { .. })) => println!("to the sign-in page"),
///     Err(CallError::RateLimited { retry_at, .. }) => println!("not before {retry_at}"),
///     Err(error) => println!("{error} (request {:?})", error.request_id()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, thiserror::Error)]
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
        /// The answer that said so, if it was the answer to this call.
        refusal: Option<Box<Refusal>>,
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
    /// The path does not begin with one `/`, or is no path at all.
    #[error(
        "a path of the API starts with one `/`, for example /restapi/v1.0/account/~/extension/~"
    )]
    InvalidPath,
    /// The address is on another host than the platform's: the access token goes to no other.
    #[error(
        "the address is not one of the platform that the app is registered with; the access token is sent nowhere \
         else. A media server of your own is set by OAuthApp::with_media_server"
    )]
    ForeignAddress,
    /// A header cannot be sent, or is not the caller's to set.
    #[error(
        "a header's name or value cannot be sent, or is set by this library: Authorization, Host, Cookie, \
         Content-Length, Transfer-Encoding, Connection, Upgrade"
    )]
    InvalidHeader,
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

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ErrorChain(self), f)
    }
}

struct Group<'a>(Option<&'a str>);

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |group| write!(f, " of the group {group}"))
    }
}

impl CallError {
    pub(crate) fn rate_limited(closed: Closed, refusal: Option<Refusal>, now: Now) -> Self {
        let left = closed.until.saturating_sub(now.mono);
        Self::RateLimited {
            group: closed.group,
            retry_at: now.wall.saturating_add(left),
            refusal: refusal.map(Box::new),
        }
    }

    /// The platform's answer, if there was one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::RateLimited { refusal, .. } => refusal.as_deref(),
            Self::Unavailable { trouble, .. } => refusal_in(trouble),
            Self::Grant(GrantError::Unavailable { trouble, .. }) => {
                trouble.as_deref().and_then(refusal_in)
            }
            _ => None,
        }
    }

    /// What the failure calls for, if the platform answered.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Refused { verdict, .. } => Some(*verdict),
            Self::Unavailable {
                trouble: Trouble::Refused { verdict, .. },
                ..
            } => Some(*verdict),
            Self::RateLimited { .. } => Some(Verdict::Wait { retry_after: None }),
            Self::Grant(GrantError::SignInAgain { .. }) => Some(Verdict::SignInAgain),
            _ => None,
        }
    }

    /// The platform's code, such as `CMN-408`, if it named one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.refusal()?.code()
    }

    /// The platform's words, if it found any. For a log, not for a page: they may name what was asked for.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.refusal()?.message()
    }

    /// The platform's name of the request (`RCRequestId`), which its support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.refusal()?.request_id()
    }

    /// From when trying again makes sense, if that is known.
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { retry_at, .. } => Some(*retry_at),
            Self::Unavailable { retry_at, .. }
            | Self::Grant(GrantError::Unavailable { retry_at, .. }) => *retry_at,
            _ => None,
        }
    }
}

fn refusal_in(trouble: &Trouble) -> Option<&Refusal> {
    match trouble {
        Trouble::Refused { refusal, .. } => Some(refusal),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no token came")]
    struct Outer(#[source] fmt::Error);

    #[test]
    fn an_error_is_told_with_its_causes() {
        let told = ErrorChain(&Outer(fmt::Error)).to_string();
        assert_eq!(told, format!("no token came: {}", fmt::Error));
    }
}
