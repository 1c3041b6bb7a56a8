//! One exchange of a call: with a whole answer, or with a body that is still to be read.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use rc_http::{
    BoxFuture, Incoming, Opened, Opening, Outgoing, OutgoingBody, Redirects, TransportError,
};

use super::{
    answer::{ApiDownload, ApiResponse},
    request::ApiRequest,
};
use crate::{error::CallError, live::UsableToken, state::ClientState};

/// What of an answer that refuses is read.
const MAX_REFUSAL: usize = 64 * 1024;

/// A request on its way.
pub(super) type Exchange<'c, A> = BoxFuture<'c, Result<A, TransportError>>;

/// How an answer is wanted.
///
/// What has to be waited for is boxed, by the transport itself in the common case: a caller's future holds a
/// pointer to it, whatever it is.
pub(super) trait Kind {
    /// An answer, of any status.
    type Answer: Send;
    /// What a caller gets.
    type Output;

    /// Sends the request once, with this token. A body that is a stream is taken out of it.
    fn transmit<'c>(
        client: &'c ClientState,
        request: &mut ApiRequest<'_>,
        token: &UsableToken,
        left: Duration,
    ) -> Result<Exchange<'c, Self::Answer>, CallError>;

    fn head(answer: &Self::Answer) -> (StatusCode, &HeaderMap);

    fn hand_out(answer: Self::Answer) -> Self::Output;

    /// The whole of an answer that is not a success.
    fn refusal(answer: Self::Answer) -> BoxFuture<'static, Result<Incoming, TransportError>>;
}

/// The whole answer in memory.
pub(super) struct Whole;

impl Kind for Whole {
    type Answer = Incoming;
    type Output = ApiResponse;

    fn transmit<'c>(
        client: &'c ClientState,
        request: &mut ApiRequest<'_>,
        token: &UsableToken,
        left: Duration,
    ) -> Result<Exchange<'c, Incoming>, CallError> {
        let http = &client.platform.http;
        let max_body = request.options().max_body.map_or(client.max_body, |max| {
            usize::try_from(max).unwrap_or(usize::MAX)
        });
        let body = match request.body_to_send() {
            OutgoingBody::Whole(body) => body,
            stream => {
                let opening = request.opening(token, stream, left)?;
                let opening = opening.max_body(max_body as u64);
                return Ok(Box::pin(async move {
                    let opened = http.open(opening).await?;
                    // One byte more than is allowed is an error, not the end.
                    collect(opened, max_body.saturating_add(1)).await
                }));
            }
        };
        let mut outgoing = Outgoing::new(Request::new(body))
            .deadline(left)
            .max_body(max_body)
            .redirects(Redirects::SameOrigin);
        request.fill(&mut outgoing.request, token)?;
        Ok(http.send(outgoing))
    }

    fn head(answer: &Incoming) -> (StatusCode, &HeaderMap) {
        (answer.status, &answer.headers)
    }

    fn hand_out(answer: Incoming) -> ApiResponse {
        ApiResponse {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        }
    }

    fn refusal(answer: Incoming) -> BoxFuture<'static, Result<Incoming, TransportError>> {
        Box::pin(std::future::ready(Ok(answer)))
    }
}

async fn collect(opened: Opened, limit: usize) -> Result<Incoming, TransportError> {
    let (status, headers) = (opened.status, opened.headers);
    let body = opened.body.read_up_to(limit).await?;
    Ok(Incoming::new(status, headers, body))
}

/// The head of the answer, and a body that the caller reads.
pub(super) struct Streamed;

impl Kind for Streamed {
    type Answer = Opened;
    type Output = ApiDownload;

    fn transmit<'c>(
        client: &'c ClientState,
        request: &mut ApiRequest<'_>,
        token: &UsableToken,
        left: Duration,
    ) -> Result<Exchange<'c, Opened>, CallError> {
        let max_body = request.options().max_body;
        let max_body = max_body.unwrap_or(Opening::DEFAULT_MAX_BODY);
        let body = request.body_to_send();
        let opening = request.opening(token, body, left)?;
        Ok(client.platform.http.open(opening.max_body(max_body)))
    }

    fn head(answer: &Opened) -> (StatusCode, &HeaderMap) {
        (answer.status, &answer.headers)
    }

    fn hand_out(answer: Opened) -> ApiDownload {
        ApiDownload {
            status: answer.status,
            headers: answer.headers,
            content_length: answer.content_length,
            body: answer.body,
        }
    }

    fn refusal(answer: Opened) -> BoxFuture<'static, Result<Incoming, TransportError>> {
        Box::pin(collect(answer, MAX_REFUSAL))
    }
}

impl ApiRequest<'_> {
    /// Writes method, address and headers into a request that has its body.
    fn fill<B>(&mut self, request: &mut Request<B>, token: &UsableToken) -> Result<(), CallError> {
        *request.method_mut() = self.method.clone();
        self.target.put(token, request.uri_mut())?;
        let headers = request.headers_mut();
        if let Some(own) = self.headers() {
            headers.clone_from(own);
        }
        headers.insert(header::AUTHORIZATION, token.header.clone());
        if headers.len() == 1 || !headers.contains_key(header::ACCEPT) {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        }
        Ok(())
    }

    fn opening(
        &mut self,
        token: &UsableToken,
        body: OutgoingBody,
        left: Duration,
    ) -> Result<Opening, CallError> {
        let mut request = Request::new(body);
        self.fill(&mut request, token)?;
        Ok(Opening::new(request)
            .head_deadline(left)
            .redirects(Redirects::SameOrigin))
    }

    /// Whether sending it twice does what sending it once does (RFC 9110 section 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        )
    }
}
