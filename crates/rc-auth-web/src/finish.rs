//! The redirect URI: back from the platform.

use std::{net::IpAddr, time::Duration};

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{LOCATION, SET_COOKIE, USER_AGENT},
    request::Parts,
};
use rc_auth::{
    AttemptName, CallbackError, Grant, GrantKey, NoRandomness, PendingAuthorization, SignInError,
    SignInOptions, callback_attempt,
};

use crate::{
    LocalPath, SessionStoreError, WebAuth,
    code_exchanges::{Admission, NotNow},
    device_name,
    session::SessionRecord,
};

/// A browser that is signed in, and where it goes next.
#[derive(Debug)]
pub struct Finished {
    grant: Grant,
    return_to: LocalPath,
    is_new: bool,
    set_cookies: Vec<HeaderValue>,
}

/// Why a callback signed nobody in. No cookie is touched: a failed callback may be somebody else's doing, and
/// must not spoil the real one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinishError {
    /// It does not have one `state`. Nothing but a new sign-in helps.
    #[error("this is no answer to a sign-in; start a new one")]
    Malformed,
    /// It belongs to no sign-in that this browser has started: another browser's, one that was finished, or
    /// one whose cookie was not kept. Nothing but a new sign-in helps.
    #[error(
        "this browser has not started this sign-in, or has finished it; start a new one, with cookies allowed"
    )]
    Foreign,
    /// Too many sign-ins are being finished. This one was not used: reload later.
    #[error("too many people are signing in; reload in {} s", retry_after.as_secs())]
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The platform refused too many codes from this address. This one was not used: reload later.
    #[error("too many sign-ins from this address were refused; reload in {} s", retry_after.as_secs())]
    TooManyRefused {
        /// When to come back.
        retry_after: Duration,
    },
    /// The sign-in failed; the error says who has to do something about it.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The session could not be kept. Reloading finishes the sign-in, within its ten minutes.
    #[error(transparent)]
    SessionStore(#[from] SessionStoreError),
    /// The system has no randomness for a session. As above.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The task of the sign-in ended before its time: a panic or the end of the process. Reload.
    #[error("the sign-in was interrupted; reload, or start a new one")]
    Interrupted,
}

impl From<NotNow> for FinishError {
    fn from(not_now: NotNow) -> Self {
        match not_now {
            NotNow::Busy { retry_after } => Self::Busy { retry_after },
            NotNow::TooManyRefused { retry_after } => Self::TooManyRefused { retry_after },
        }
    }
}

impl FinishError {
    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed | Self::Foreign => StatusCode::BAD_REQUEST,
            Self::TooManyRefused { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } | Self::SessionStore(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoRandomness(_) | Self::Interrupted => StatusCode::INTERNAL_SERVER_ERROR,
            Self::SignIn(error) => match error {
                SignInError::Callback(CallbackError::Refused(_)) | SignInError::NotPermitted(_) => {
                    StatusCode::FORBIDDEN
                }
                SignInError::Callback(_)
                | SignInError::AppChanged(_)
                | SignInError::AlreadyUsed
                | SignInError::CodeRefused(_) => StatusCode::BAD_REQUEST,
                SignInError::AppRefused(_) => StatusCode::BAD_GATEWAY,
                SignInError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// When to come back, for `Retry-After`, where a limit of this process is the cause.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } | Self::TooManyRefused { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

impl Finished {
    /// The grant of this browser.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Where it goes next.
    #[must_use]
    pub const fn return_to(&self) -> &LocalPath {
        &self.return_to
    }

    /// Whether this callback signed it in. Otherwise it was signed in already, and an outdated callback came
    /// again: from the history, or from a restored tab.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// The `Set-Cookie` values of the answer.
    #[must_use]
    pub fn set_cookies(&self) -> &[HeaderValue] {
        &self.set_cookies
    }

    /// The answer: a 303 to [`return_to`](Self::return_to), with the cookies.
    #[must_use]
    pub fn into_response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SEE_OTHER;
        // Made of graphic ASCII characters only, so that it always can stand in a header.
        let there = HeaderValue::try_from(self.return_to.as_str())
            .unwrap_or_else(|_| HeaderValue::from_static("/"));
        response.headers_mut().insert(LOCATION, there);
        for set_cookie in self.set_cookies {
            response.headers_mut().append(SET_COOKIE, set_cookie);
        }
        response
    }
}

/// What the browser is called where its owner's sign-ins are listed.
fn label(headers: &HeaderMap) -> SignInOptions {
    let user_agent = headers.get(USER_AGENT);
    let name = user_agent.and_then(|name| device_name(name.to_str().ok()?));
    match name {
        Some(name) => SignInOptions::new().label(name),
        None => SignInOptions::new(),
    }
}

impl WebAuth {
    /// Finishes a sign-in of this browser, whose address is `from` (see
    /// [`client_address`](Self::client_address)): exchanges the code, starts a session, and ends the grant
    /// that this browser had before.
    ///
    /// A valid session is worth more than an outdated callback: if this one belongs to no sign-in that can
    /// still be finished, and the browser is signed in, it is sent on and nothing is exchanged.
    ///
    /// For a GET of [`callback_path`](Self::callback_path). A caller that goes away stops nothing.
    ///
    /// # Errors
    ///
    /// [`FinishError`], by what its user can do.
    pub async fn finish_sign_in(
        &self,
        request: &Parts,
        from: IpAddr,
    ) -> Result<Finished, FinishError> {
        let query = request.uri.query().unwrap_or_default();
        let headers = &request.headers;
        let attempt = callback_attempt(query).ok_or(FinishError::Malformed)?;
        let Some(pending) = self.inner.pending.find(headers, &attempt) else {
            let home = self.inner.paths.home.clone();
            return self.already(headers, home, FinishError::Foreign).await;
        };
        let admission = self.inner.exchanges.admit(from, &attempt, self.mono())?;
        let options = label(headers);
        let exchange = self.exchange(admission, pending.authorization, query, options);
        match exchange.await {
            Ok(grant) => {
                self.signed_in(headers, &attempt, grant, pending.return_to)
                    .await
            }
            Err(FinishError::SignIn(error)) if is_outdated(&error) => {
                self.already(headers, pending.return_to, error.into()).await
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a browser that is signed in on to `return_to`; otherwise it is told what went wrong.
    async fn already(
        &self,
        headers: &HeaderMap,
        return_to: LocalPath,
        error: FinishError,
    ) -> Result<Finished, FinishError> {
        let session = self.session(headers).await?.ok_or(error)?;
        Ok(Finished {
            grant: session.grant,
            return_to,
            is_new: false,
            set_cookies: session.reissue.into_iter().collect(),
        })
    }

    /// Finishes the sign-in in a task of its own, which holds the admission to its end: a browser that hangs
    /// up makes no room for another exchange while its own goes on.
    async fn exchange(
        &self,
        admission: Admission,
        pending: PendingAuthorization,
        query: &str,
        options: SignInOptions,
    ) -> Result<Grant, FinishError> {
        let (finishing, query) = (self.clone(), query.to_owned());
        let task = self.spawn(async move {
            let client = finishing.client();
            let finished = client.finish_sign_in_with(pending, &query, options).await;
            if finished.as_ref().is_err_and(is_refusal) {
                admission.refused(finishing.mono());
            }
            finished
        });
        let finished = task.await.map_err(|_| FinishError::Interrupted)?;
        Ok(finished?)
    }

    async fn signed_in(
        &self,
        headers: &HeaderMap,
        attempt: &AttemptName,
        grant: Grant,
        return_to: LocalPath,
    ) -> Result<Finished, FinishError> {
        let now = self.now();
        let environment = &*self.inner.environment;
        let record = SessionRecord::start(grant.key().clone(), now, environment)?;
        let end = self.inner.times.end_of(&record);
        let value = self.inner.sessions.create(&record.to_bytes(), end).await?;
        let mut set_cookies = vec![self.session_cookie(&value, &record, now)?];
        set_cookies.extend(self.inner.pending.remove(attempt));
        self.end_older_session(headers, &grant).await;
        Ok(Finished {
            grant,
            return_to,
            is_new: true,
            set_cookies,
        })
    }

    /// Signs out the grant this browser had before, whatever its session's age: nothing would name it any
    /// more. In the background: the new sign-in is complete and need not wait for it.
    ///
    /// A duplicate of this callback finds the same grant in the cookie, and that one stays. Of two tabs that
    /// finish in the same moment neither sees the other's cookie; the grant that loses ends when it has gone
    /// unused for 30 days, or RingCentral's limit of five sign-ins ends it before.
    async fn end_older_session(&self, headers: &HeaderMap, grant: &Grant) {
        match self.find_session(headers, self.now()).await {
            Ok(Some((value, older))) if older.grant() != grant.key() => {
                self.end_in_background(value.to_owned(), older.grant());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "an older sign-in of the same browser is not known");
            }
        }
    }

    fn end_in_background(&self, value: String, older: &GrantKey) {
        let older = self.client().grant(older);
        let this = self.clone();
        drop(self.spawn(async move {
            if let Err(error) = older.sign_out().await {
                tracing::warn!(%error, "an older sign-in of the same browser could not be ended");
            }
            if let Err(error) = this.inner.sessions.remove(&value).await {
                tracing::warn!(%error, "an older session of the same browser could not be removed");
            }
        }));
    }
}

/// Whether the platform refused what this browser sent. Not only the refusal of a code: who sends a strange
/// code chooses which refusal comes.
const fn is_refusal(error: &SignInError) -> bool {
    matches!(
        error,
        SignInError::CodeRefused(_) | SignInError::AppRefused(_) | SignInError::NotPermitted(_)
    )
}

/// Whether the callback came too late to mean anything; no token request was made for it.
const fn is_outdated(error: &SignInError) -> bool {
    matches!(
        error,
        SignInError::AlreadyUsed | SignInError::Callback(CallbackError::Expired)
    )
}
