//! Sends a call until it is answered: which answer is whose to deal with, and what is sent again.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use rc_auth_core::{
    Closed, DEFAULT_PENALTY, Endpoint, Input, Now, PairId, Refusal, Trouble, Verdict,
};
use rc_http::{Delivery, Incoming, TransportError};

use serde::de::DeserializeOwned;

use super::{
    answer::{ApiDownload, ApiResponse},
    request::ApiRequest,
    transmit::{Exchange, Kind, Streamed, Whole},
};
use crate::{
    error::{CallError, ErrorChain},
    live::UsableToken,
    refresh::waiting,
    state::ClientState,
};

/// The pause before a call is sent again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What sends it.
impl<'a> ApiRequest<'a> {
    /// Sends the call, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// [`CallError`], by who has to do something about it.
    pub fn send(self) -> impl Future<Output = Result<ApiResponse, CallError>> + Send + 'a {
        // Not an `async fn`: its future would hold the request twice.
        let mut request = self;
        async move {
            request.make_ready()?;
            run::<Whole>(&mut request).await
        }
    }

    /// Sends the call, and reads the answer as JSON.
    ///
    /// # Errors
    ///
    /// [`CallError`], by who has to do something about it.
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<T, CallError> {
        self.send().await?.json()
    }

    /// Sends the call; the answer's body is read by the caller, piece by piece.
    ///
    /// # Errors
    ///
    /// [`CallError`], by who has to do something about it.
    pub fn download(self) -> impl Future<Output = Result<ApiDownload, CallError>> + Send + 'a {
        let mut request = self;
        async move {
            request.make_ready()?;
            run::<Streamed>(&mut request).await
        }
    }
}

/// Awaiting a request sends it, as [`send`](ApiRequest::send) does, at the price of one more allocation.
impl<'a> IntoFuture for ApiRequest<'a> {
    type Output = Result<ApiResponse, CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Why a call that was sent once has no answer that its caller gets.
enum Unanswered {
    /// The access token is not taken.
    TokenRefused(Refusal),
    /// Nothing came of it, and sending it again may help.
    Again(CallError, Pause),
    Failed(CallError),
}

/// What came of sending a call once, and with which token.
type Sent<K> = (
    Arc<UsableToken>,
    Result<<K as Kind>::Answer, TransportError>,
);

/// What has to be over before a call is sent again.
enum Pause {
    /// A pause that the call is given a number of.
    Retry(Option<Duration>),
    /// Nothing: no connection was made, or one that was kept had been closed.
    None,
    /// A rate limit (until, monotonic).
    RateLimit(Duration),
}

/// Sends a call, and hands out its answer.
///
/// What nearly every call comes to, a token that may be used and an answer that is a success, is all that a caller's
/// future has room for: the rest is boxed. For such a call, moving its future and its answer is most of what it costs.
async fn run<K: Kind>(request: &mut ApiRequest<'_>) -> Result<K::Output, CallError> {
    let mut sending = Sending::begin(request);
    let mut sent = None;
    if let Some(token) = sending.fresh(None)
        && sending.closed(&token).is_none()
    {
        match sending.transmit::<K>(&token)?.await {
            Ok(answer) if sending.is_success::<K>(&answer, &token) => {
                return Ok(K::hand_out(answer));
            }
            other => sent = Some((token, other)),
        }
    }
    Box::pin(sending.go_on::<K>(sent)).await
}

/// A call that is being sent.
struct Sending<'r, 'a> {
    request: &'r mut ApiRequest<'a>,
    client: &'a Arc<ClientState>,
    /// When it gives up (monotonic).
    deadline: Duration,
    /// For how long it still waits for rate limits.
    patience: Duration,
    retries: u32,
    pause: Duration,
    can_repeat: bool,
    now: Now,
}

impl<'r, 'a> Sending<'r, 'a> {
    fn begin(request: &'r mut ApiRequest<'a>) -> Self {
        let client = &request.grant.client;
        let now = client.now();
        let options = request.options();
        Self {
            client,
            deadline: now
                .mono
                .saturating_add(options.timeout.unwrap_or(client.call_timeout)),
            patience: options.rate_limit_patience,
            retries: options.retries,
            pause: FIRST_PAUSE,
            can_repeat: request.can_repeat(),
            now,
            request,
        }
    }

    fn path(&self) -> &str {
        self.request.target.path()
    }

    fn held_back(&self, closed: Closed) -> Unanswered {
        let until = closed.until;
        let error = CallError::rate_limited(closed, None, self.now);
        Unanswered::Again(error, Pause::RateLimit(until))
    }

    /// Goes on until the call is answered: with what came of sending it once, if it was.
    async fn go_on<K: Kind>(mut self, mut sent: Option<Sent<K>>) -> Result<K::Output, CallError> {
        let (client, live) = (self.client, self.request.grant.live.clone());
        // Invariant 4: a token that was refused is not sent again, and the call once with a newer one.
        let mut refused: Option<PairId> = None;
        loop {
            let (token, unanswered) = match sent.take() {
                Some((token, sent)) => match self.settle::<K>(sent, &token).await {
                    Ok(output) => return Ok(output),
                    Err(unanswered) => (token, unanswered),
                },
                None => {
                    let token = match self.fresh(refused) {
                        Some(token) => token,
                        None => waiting::token(client, &live, refused, self.deadline).await?,
                    };
                    let Some(closed) = self.closed(&token) else {
                        let answer = self.transmit::<K>(&token)?.await;
                        sent = Some((token, answer));
                        continue;
                    };
                    (token, self.held_back(closed))
                }
            };
            match unanswered {
                Unanswered::Failed(error) => return Err(error),
                Unanswered::TokenRefused(refusal) => {
                    waiting::input(client, &live, Input::Refused(token.pair));
                    if refused.is_some() || !self.can_repeat {
                        return Err(self.refused(refusal, Verdict::RefreshAndRetry));
                    }
                    refused = Some(token.pair);
                }
                Unanswered::Again(error, pause) => self.wait(error, pause).await?,
            }
            self.now = client.now();
        }
    }

    /// The token that is there, if it may be used.
    fn fresh(&self, newer_than: Option<PairId>) -> Option<Arc<UsableToken>> {
        let live = &self.request.grant.live;
        waiting::fresh(self.client, live, newer_than, self.now.wall)
    }

    async fn settle<K: Kind>(
        &mut self,
        sent: Result<K::Answer, TransportError>,
        token: &UsableToken,
    ) -> Result<K::Output, Unanswered> {
        let answer = match sent {
            Ok(answer) if self.is_success::<K>(&answer, token) => return Ok(K::hand_out(answer)),
            Ok(answer) => answer,
            Err(error) => return Err(self.no_answer(&error)),
        };
        match K::refusal(answer).await {
            Ok(refusal) => Err(self.judge(refusal, token)),
            Err(error) => Err(self.no_answer(&error)),
        }
    }

    /// Whether it is; learns what a success says of limits and the time.
    fn is_success<K: Kind>(&self, answer: &K::Answer, token: &UsableToken) -> bool {
        let (status, headers) = K::head(answer);
        let is_success = status.is_success();
        if is_success {
            self.learn(status, headers, token);
        }
        is_success
    }

    fn closed(&self, token: &UsableToken) -> Option<Closed> {
        let gate = &self.client.platform.api_gate;
        let (method, now) = (&self.request.method, self.now.mono);
        if gate.is_open(&token.owner, now) {
            return None;
        }
        gate.check(&token.owner, method, self.path(), now).err()
    }

    fn transmit<K: Kind>(
        &mut self,
        token: &UsableToken,
    ) -> Result<Exchange<'a, K::Answer>, CallError> {
        let left = self.deadline.saturating_sub(self.now.mono);
        K::transmit(self.client, self.request, token, left)
    }

    fn learn(
        &self,
        status: http::StatusCode,
        headers: &http::HeaderMap,
        token: &UsableToken,
    ) -> Option<Closed> {
        let platform = &self.client.platform;
        platform.learn_time_from_call(headers, self.now.mono);
        // A penalty counts from the answer on.
        let limited = status == http::StatusCode::TOO_MANY_REQUESTS;
        let now = if limited {
            self.client.now().mono
        } else {
            self.now.mono
        };
        let method = &self.request.method;
        platform
            .api_gate
            .observe(&token.owner, method, self.path(), status, headers, now)
    }

    fn no_answer(&self, error: &TransportError) -> Unanswered {
        tracing::warn!(error = %ErrorChain(error), "a call of the API got no answer");
        let sent = error.delivery() == Delivery::MaybeSent;
        let (trouble, may_repeat) = if sent {
            (Trouble::NoAnswer, self.request.is_idempotent())
        } else {
            (Trouble::Unreachable, true)
        };
        let unavailable = self.unavailable(trouble, None);
        if !may_repeat || !self.can_repeat {
            return Unanswered::Failed(unavailable);
        }
        let pause = if self.retries == self.request.options().retries {
            // A connection kept open may be closed by the platform at the moment it is used again.
            Pause::None
        } else {
            Pause::Retry(None)
        };
        Unanswered::Again(unavailable, pause)
    }

    fn judge(&self, incoming: Incoming, token: &UsableToken) -> Unanswered {
        let closed = self.learn(incoming.status, &incoming.headers, token);
        let response = crate::platform::response(incoming);
        let refusal = Refusal::from_response(&response).without_echo_of(token.token());
        let verdict = refusal.verdict(Endpoint::Resource);
        match verdict {
            Verdict::RefreshAndRetry => Unanswered::TokenRefused(refusal),
            Verdict::Wait { .. } => {
                let now = self.client.now();
                let closed = closed.unwrap_or(Closed {
                    group: None,
                    until: now.mono + DEFAULT_PENALTY,
                });
                let until = closed.until;
                let error = CallError::rate_limited(closed, Some(refusal), now);
                if self.can_repeat {
                    Unanswered::Again(error, Pause::RateLimit(until))
                } else {
                    Unanswered::Failed(error)
                }
            }
            Verdict::BackOff { retry_after } => {
                let refusal = Box::new(refusal);
                let error = self.unavailable(Trouble::Refused { refusal, verdict }, retry_after);
                if self.request.is_idempotent() && self.can_repeat {
                    Unanswered::Again(error, Pause::Retry(retry_after))
                } else {
                    Unanswered::Failed(error)
                }
            }
            Verdict::SignInAgain | Verdict::FixApp | Verdict::Permission | Verdict::Bug => {
                Unanswered::Failed(self.refused(refusal, verdict))
            }
        }
    }

    /// Waits until the call may be sent again; `error`, if it may not.
    async fn wait(&mut self, error: CallError, pause: Pause) -> Result<(), CallError> {
        let now = self.client.now().mono;
        let until = match pause {
            Pause::RateLimit(until) => {
                let wait = until.saturating_sub(now);
                if wait > self.patience {
                    return Err(error);
                }
                self.patience -= wait;
                until
            }
            Pause::Retry(_) | Pause::None if self.retries == 0 => return Err(error),
            Pause::None => {
                self.retries -= 1;
                return Ok(());
            }
            Pause::Retry(retry_after) => {
                self.retries -= 1;
                let pause = self.spread();
                now.saturating_add(retry_after.unwrap_or_default().max(pause))
            }
        };
        if until >= self.deadline {
            return Err(error);
        }
        self.client.environment.sleep_until(until).await;
        Ok(())
    }

    /// The next pause: doubled each time, and spread by half of it, so that an outage is not followed by a rush.
    fn spread(&mut self) -> Duration {
        let [spread] = self.client.draw().unwrap_or([128]);
        let pause = self.pause;
        self.pause = pause.saturating_mul(2);
        pause / 2 + pause * u32::from(spread) / 255
    }

    fn refused(&self, refusal: Refusal, verdict: Verdict) -> CallError {
        CallError::Refused {
            method: self.request.method.clone(),
            path: self.path().to_owned(),
            refusal: Box::new(refusal),
            verdict,
        }
    }

    fn unavailable(&self, trouble: Trouble, retry_after: Option<Duration>) -> CallError {
        let wall = || self.client.environment.wall();
        CallError::Unavailable {
            method: self.request.method.clone(),
            path: self.path().to_owned(),
            trouble,
            retry_at: retry_after.map(|after| wall().saturating_add(after)),
        }
    }
}
