//! Calls of the API with a grant's access token.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use rc_auth_core::{Closed, Endpoint, Input, Now, PairId, RateGate, Refusal, Trouble, Verdict};
use rc_http::{Delivery, FailureKind, Incoming, Outgoing, Redirects};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{CallError, ErrorChain},
    grant::Grant,
    live::UsableToken,
    refresh::waiting,
    state::ClientState,
    tasks::lock,
};

/// A successful answer of the API.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiResponse {
    /// The status, 200 to 299.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl std::fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ApiResponse(status {}, {} bytes)",
            self.status.as_u16(),
            self.body.len()
        )
    }
}

impl ApiResponse {
    /// Reads the body as JSON.
    ///
    /// # Errors
    ///
    /// [`CallError::UnexpectedBody`] says where the body is not what was expected, without quoting it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| CallError::UnexpectedBody {
            status: self.status,
            problem: format!(
                "{:?} error in line {}, column {}",
                error.classify(),
                error.line(),
                error.column()
            ),
        })
    }
}

/// One call, as it is repeated.
struct Call {
    method: Method,
    uri: Uri,
    body: Bytes,
}

/// What came of sending a call once.
enum Sent {
    Answer(ApiResponse),
    /// The access token is not taken.
    TokenRefused(Refusal),
    Failed(CallError),
}

impl Grant {
    /// Calls the API with GET. `path` begins with `/`, as in `/restapi/v1.0/account/~/extension/~`, and
    /// may have a query.
    ///
    /// An access token that is refused is refreshed and the call repeated, once. While a rate-limit
    /// group is closed for this grant, nothing is sent in it.
    ///
    /// # Errors
    ///
    /// [`CallError`], by who has to do something about it.
    pub async fn get(&self, path: &str) -> Result<ApiResponse, CallError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Calls the API with POST and a JSON body; otherwise as [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// [`CallError`], by who has to do something about it. After [`CallError::Unavailable`] the platform
    /// may have carried the request out.
    pub async fn post<T: Serialize + Sync + ?Sized>(
        &self,
        path: &str,
        body: &T,
    ) -> Result<ApiResponse, CallError> {
        let body = serde_json::to_vec(body).map_err(|_| CallError::InvalidBody)?;
        self.call(Method::POST, path, body.into()).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<ApiResponse, CallError> {
        let call = Call {
            method,
            uri: self.uri(path)?,
            body,
        };
        let began = self.client.now();
        let deadline = began.mono + self.client.call_timeout;
        // Invariant 4: sent at most twice, and the second time with a newer token than the first.
        let first = waiting::access(&self.client, &self.live, None, deadline, began.wall);
        let first = first.await?;
        let refused = first.pair;
        match self.send(&call, &first, deadline).await {
            Sent::Answer(answer) => Ok(answer),
            Sent::Failed(error) => Err(error),
            Sent::TokenRefused(_) => {
                waiting::input(&self.client, &self.live, Input::Refused(refused));
                self.repeat(&call, refused, deadline).await
            }
        }
    }

    async fn repeat(
        &self,
        call: &Call,
        refused: PairId,
        deadline: Duration,
    ) -> Result<ApiResponse, CallError> {
        let wall = self.client.environment.wall();
        let newer = waiting::access(&self.client, &self.live, Some(refused), deadline, wall);
        let newer = newer.await?;
        match self.send(call, &newer, deadline).await {
            Sent::Answer(answer) => Ok(answer),
            Sent::Failed(error) => Err(error),
            Sent::TokenRefused(refusal) => Err(call.refused(refusal, Verdict::RefreshAndRetry)),
        }
    }

    /// The token goes to the configured platform and nowhere else.
    fn uri(&self, path: &str) -> Result<Uri, CallError> {
        if !path.starts_with('/') || path.starts_with("//") || path.contains('#') {
            return Err(CallError::InvalidPath);
        }
        format!("{}{path}", self.client.platform.app.server())
            .parse()
            .map_err(|_| CallError::InvalidPath)
    }

    async fn send(&self, call: &Call, access: &Arc<UsableToken>, deadline: Duration) -> Sent {
        let client = &self.client;
        let now = client.now();
        let path = call.uri.path();
        let open =
            lock(&client.platform.gate).check_api(&access.owner, &call.method, path, now.mono);
        if let Err(closed) = open {
            return Sent::Failed(rate_limited(closed, now));
        }
        match call.transmit(client, access, deadline, now.mono).await {
            Ok(incoming) => call.judge(client, incoming, access),
            Err(error) => Sent::Failed(error),
        }
    }
}

fn rate_limited(closed: Closed, now: Now) -> CallError {
    CallError::RateLimited {
        group: closed.group,
        retry_at: now
            .wall
            .saturating_add(closed.until.saturating_sub(now.mono)),
    }
}

impl Call {
    fn outgoing(&self, client: &ClientState, access: &UsableToken, left: Duration) -> Outgoing {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, access.header.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if self.method != Method::GET {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        Outgoing::new(request)
            .deadline(left)
            .max_body(client.max_body)
            .redirects(Redirects::SameOrigin)
    }

    /// Sends once more what cannot have been received, and a GET whose connection broke: a connection
    /// kept open may be closed by the platform at the moment it is used again.
    async fn transmit(
        &self,
        client: &ClientState,
        access: &UsableToken,
        deadline: Duration,
        now: Duration,
    ) -> Result<Incoming, CallError> {
        let left = deadline.saturating_sub(now);
        let error = match client
            .platform
            .http
            .send(self.outgoing(client, access, left))
            .await
        {
            Ok(incoming) => return Ok(incoming),
            Err(error) => error,
        };
        let may_repeat = match error.delivery() {
            Delivery::NotSent => error.kind() == FailureKind::Connect,
            Delivery::MaybeSent => {
                self.method == Method::GET && error.kind() == FailureKind::Broken
            }
        };
        let error = if may_repeat {
            let left = deadline.saturating_sub(client.now().mono);
            match client
                .platform
                .http
                .send(self.outgoing(client, access, left))
                .await
            {
                Ok(incoming) => return Ok(incoming),
                Err(error) => error,
            }
        } else {
            error
        };
        tracing::warn!(error = %ErrorChain(&error), "a call of the API got no answer");
        let trouble = match error.delivery() {
            Delivery::NotSent => Trouble::Unreachable,
            Delivery::MaybeSent => Trouble::NoAnswer,
        };
        Err(self.unavailable(trouble, None, client))
    }

    fn judge(&self, client: &ClientState, incoming: Incoming, access: &UsableToken) -> Sent {
        let now = client.now();
        client.platform.learn_time(&incoming.headers);
        let closed = lock(&client.platform.gate).observe_api(
            &access.owner,
            &self.method,
            self.uri.path(),
            incoming.status,
            &incoming.headers,
            now.mono,
        );
        if incoming.status.is_success() {
            let Incoming {
                status,
                headers,
                body,
                ..
            } = incoming;
            return Sent::Answer(ApiResponse {
                status,
                headers,
                body,
            });
        }
        let mut response = http::Response::new(incoming.body);
        *response.status_mut() = incoming.status;
        *response.headers_mut() = incoming.headers;
        let refusal = Refusal::from_response(&response).without_echo_of(access.token());
        let verdict = refusal.verdict(Endpoint::Resource);
        match verdict {
            Verdict::RefreshAndRetry => Sent::TokenRefused(refusal),
            Verdict::Wait { .. } => {
                let closed = closed.unwrap_or(Closed {
                    group: None,
                    until: now.mono + RateGate::DEFAULT_PENALTY,
                });
                Sent::Failed(rate_limited(closed, now))
            }
            Verdict::BackOff { retry_after } => {
                let trouble = Trouble::Refused {
                    refusal: Box::new(refusal),
                    verdict,
                };
                Sent::Failed(self.unavailable(trouble, retry_after, client))
            }
            Verdict::SignInAgain | Verdict::FixApp | Verdict::Permission | Verdict::Bug => {
                Sent::Failed(self.refused(refusal, verdict))
            }
        }
    }

    fn refused(&self, refusal: Refusal, verdict: Verdict) -> CallError {
        CallError::Refused {
            method: self.method.clone(),
            path: self.uri.path().to_owned(),
            refusal: Box::new(refusal),
            verdict,
        }
    }

    fn unavailable(
        &self,
        trouble: Trouble,
        retry_after: Option<Duration>,
        client: &ClientState,
    ) -> CallError {
        CallError::Unavailable {
            method: self.method.clone(),
            path: self.uri.path().to_owned(),
            trouble,
            retry_at: retry_after.map(|after| client.environment.wall().saturating_add(after)),
        }
    }
}
