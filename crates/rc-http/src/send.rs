//! One exchange on reqwest: redirects, deadline, body cap, and what a failure proves.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION},
};
use tracing::{Instrument, Span, debug, debug_span};
use url::Url;

use crate::{
    Incoming, Outgoing, Redirects, TransportError, address::Address, failure::Failure, redirect,
};

/// Headers that are secrets whatever they hold: HTTP/2 does not index them, `Debug` does not print them.
const SECRET_HEADERS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// How far an exchange has come, readable also when its future was dropped at the deadline.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The status of the last head that arrived.
    pub(crate) status: Option<StatusCode>,
    /// Bytes read of that answer's body.
    pub(crate) bytes: usize,
    /// Redirects followed. After one, a request has been sent, whatever happens to the next.
    pub(crate) hops: usize,
    /// The head of the answer to hand out is there; its body is being read.
    pub(crate) in_body: bool,
}

/// Sends `outgoing` to `address` and logs what became of it.
pub(crate) async fn send(
    client: &reqwest::Client,
    address: &Address,
    outgoing: Outgoing,
) -> Result<Incoming, TransportError> {
    let span = request_span(address, outgoing.request.method());
    let started = Instant::now();
    let deadline = outgoing.deadline;
    let mut progress = Progress::default();
    let exchange = exchange(client, address, outgoing, &mut progress).instrument(span.clone());
    let outcome = match tokio::time::timeout(deadline, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::late(deadline, progress.in_body)),
    };
    let outcome = outcome.map_err(|failure| failure.of_exchange(address, &progress));
    span.in_scope(|| log(&outcome, &progress, started.elapsed()));
    outcome
}

/// Method, host and path. Never the query: callbacks and some API calls carry secrets there.
fn request_span(address: &Address, method: &Method) -> Span {
    let url = &address.url;
    debug_span!("http_request", %method, host = url.host_str(), port = url.port(), path = url.path())
}

fn log(outcome: &Result<Incoming, TransportError>, progress: &Progress, elapsed: Duration) {
    let status = progress.status.map(|status| status.as_u16());
    let Progress { bytes, hops, .. } = *progress;
    match outcome {
        Ok(_) => debug!(status, bytes, hops, ?elapsed, "answered"),
        Err(error) => debug!(
            status,
            bytes,
            hops,
            ?elapsed,
            delivery = ?error.delivery(),
            kind = ?error.kind(),
            error = error as &(dyn Error + 'static),
            "no whole answer"
        ),
    }
}

async fn exchange(
    client: &reqwest::Client,
    address: &Address,
    outgoing: Outgoing,
    progress: &mut Progress,
) -> Result<Incoming, Failure> {
    let Outgoing {
        request,
        max_body,
        redirects,
        ..
    } = outgoing;
    let (parts, body) = request.into_parts();
    let mut hop = Hop {
        method: parts.method,
        url: address.url.clone(),
        headers: parts.headers,
        body,
    };
    mark_secrets(&mut hop.headers);
    loop {
        let follow = redirects == Redirects::SameOrigin && progress.hops < Redirects::MAX_HOPS;
        // Kept only where another hop may need it: a clone of the headers is not free.
        let next = follow.then(|| hop.clone());
        let response = client
            .execute(hop.into_reqwest())
            .await
            .map_err(Failure::before_head)?;
        progress.status = Some(response.status());
        let next = next.and_then(|hop| hop.redirected(response.status(), response.headers()));
        let Some(next) = next else {
            return read_whole(response, max_body, progress).await;
        };
        progress.hops += 1;
        hop = next;
    }
}

fn mark_secrets(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if SECRET_HEADERS.contains(name) {
            value.set_sensitive(true);
        }
    }
}

/// One request of an exchange: the caller's, or what a redirect made of it.
#[derive(Clone)]
struct Hop {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Hop {
    fn into_reqwest(self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, self.url);
        *request.headers_mut() = self.headers;
        *request.body_mut() = Some(self.body.into());
        request
    }

    /// The next hop, if the answer to this one is a redirect that may be followed.
    fn redirected(mut self, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        self.url = redirect::same_origin_target(&self.url, status, headers)?;
        if redirect::becomes_get(status, &self.method) {
            self.method = Method::GET;
            self.body = Bytes::new();
            redirect::remove_content_headers(&mut self.headers);
        }
        Some(self)
    }
}

async fn read_whole(
    mut response: reqwest::Response,
    max_body: usize,
    progress: &mut Progress,
) -> Result<Incoming, Failure> {
    progress.in_body = true;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let body = read_body(response, max_body, &mut progress.bytes).await?;
    Ok(Incoming::new(status, headers, body))
}

/// Reads to the end, so that the connection can serve the next request. A body that arrives in one piece,
/// as token answers do, is not copied.
async fn read_body(
    mut response: reqwest::Response,
    max: usize,
    read: &mut usize,
) -> Result<Bytes, Failure> {
    let announced = response.content_length().unwrap_or(0);
    if announced > max as u64 {
        return Err(Failure::too_large(max));
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Failure::in_body)? {
        *read += chunk.len();
        if *read > max {
            return Err(Failure::too_large(max));
        }
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(first.len().max(announced as usize));
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn credentials_are_marked_sensitive_and_nothing_else_is() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("sample");
        for name in ["authorization", "proxy-authorization", "cookie", "accept"] {
            headers.append(name, value.clone());
        }
        headers.append("cookie", value);
        mark_secrets(&mut headers);
        let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
        let sensitive: Vec<_> = sensitive.map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            sensitive,
            ["authorization", "proxy-authorization", "cookie", "cookie"]
        );
    }
}
