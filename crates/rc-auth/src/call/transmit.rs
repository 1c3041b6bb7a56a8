//! One exchange of a call: with a whole answer, or with a body that is still to be read.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use rc_http::{Incoming, Opened, Opening, Outgoing, OutgoingBody, Redirects, TransportError};

use super::request::ApiRequest;
use crate::{live::UsableToken, state::ClientState};

/// What of an answer that refuses is read.
const MAX_REFUSAL: usize = 64 * 1024;

/// What a transport answered: success as it was asked for, or a whole answer that is none.
pub(super) enum Answered<T> {
    Success(T),
    Refusal(Incoming),
}

/// How an answer is wanted.
pub(super) trait Kind {
    /// A successful answer.
    type Answer: Send;

    /// Sends the request once, with this token. A body that is a stream is taken out of it.
    fn transmit(
        client: &ClientState,
        request: &mut ApiRequest<'_>,
        uri: Uri,
        token: &UsableToken,
        left: Duration,
    ) -> impl Future<Output = Result<Answered<Self::Answer>, TransportError>> + Send;

    /// Its headers.
    fn headers(answer: &Self::Answer) -> &http::HeaderMap;
}

/// The whole answer in memory.
pub(super) struct Whole;

impl Kind for Whole {
    type Answer = Incoming;

    async fn transmit(
        client: &ClientState,
        request: &mut ApiRequest<'_>,
        uri: Uri,
        token: &UsableToken,
        left: Duration,
    ) -> Result<Answered<Incoming>, TransportError> {
        let max_body = request.options.max_body.map_or(client.max_body, |max| {
            usize::try_from(max).unwrap_or(usize::MAX)
        });
        let incoming = if let OutgoingBody::Whole(body) = &request.body {
            let outgoing = Outgoing::new(request.with_token(uri, token, body.clone()))
                .deadline(left)
                .max_body(max_body)
                .redirects(Redirects::SameOrigin);
            client.platform.http.send(outgoing).await?
        } else {
            let opening = request.opening(uri, token, left).max_body(max_body as u64);
            let opened = client.platform.http.open(opening).await?;
            let (status, headers) = (opened.status, opened.headers);
            // One byte more than is allowed is an error, not the end.
            let body = opened.body.read_up_to(max_body.saturating_add(1));
            Incoming::new(status, headers, body.await?)
        };
        Ok(if incoming.status.is_success() {
            Answered::Success(incoming)
        } else {
            Answered::Refusal(incoming)
        })
    }

    fn headers(answer: &Incoming) -> &http::HeaderMap {
        &answer.headers
    }
}

/// The head of the answer, and a body that the caller reads.
pub(super) struct Streamed;

impl Kind for Streamed {
    type Answer = Opened;

    async fn transmit(
        client: &ClientState,
        request: &mut ApiRequest<'_>,
        uri: Uri,
        token: &UsableToken,
        left: Duration,
    ) -> Result<Answered<Opened>, TransportError> {
        let max_body = request.options.max_body;
        let max_body = max_body.unwrap_or(Opening::DEFAULT_MAX_BODY);
        let opening = request.opening(uri, token, left).max_body(max_body);
        let opened = client.platform.http.open(opening).await?;
        if opened.status.is_success() {
            return Ok(Answered::Success(opened));
        }
        let (status, headers) = (opened.status, opened.headers);
        let body = opened.body.read_up_to(MAX_REFUSAL).await?;
        Ok(Answered::Refusal(Incoming::new(status, headers, body)))
    }

    fn headers(answer: &Opened) -> &http::HeaderMap {
        &answer.headers
    }
}

impl ApiRequest<'_> {
    fn with_token<B>(&self, uri: Uri, token: &UsableToken, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        if self.headers.is_empty() {
            headers.reserve(2);
        } else {
            headers.clone_from(&self.headers);
        }
        headers.insert(header::AUTHORIZATION, token.header.clone());
        if !headers.contains_key(header::ACCEPT) {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        }
        request
    }

    fn opening(&mut self, uri: Uri, token: &UsableToken, left: Duration) -> Opening {
        let body = match self.body.try_clone() {
            Some(body) => body,
            None => std::mem::replace(&mut self.body, OutgoingBody::Whole(Bytes::new())),
        };
        Opening::new(self.with_token(uri, token, body))
            .head_deadline(left)
            .redirects(Redirects::SameOrigin)
    }

    /// Whether sending it twice does what sending it once does (RFC 9110 section 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        )
    }
}
