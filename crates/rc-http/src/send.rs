//! One whole exchange on reqwest: its deadline and its body cap.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::Method;
use tracing::{Instrument, Span, debug, debug_span};

use crate::{
    Incoming, Outgoing, TransportError,
    address::Address,
    failure::Failure,
    hop::{Hop, follow},
    progress::Progress,
};

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
pub(crate) fn request_span(address: &Address, method: &Method) -> Span {
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
    let (parts, body) = outgoing.request.into_parts();
    let hop = Hop::new(parts, address, body);
    let response = follow(client, hop, outgoing.redirects, progress).await?;
    read_whole(response, outgoing.max_body, progress).await
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
    read: &mut u64,
) -> Result<Bytes, Failure> {
    let announced = response.content_length().unwrap_or(0);
    if announced > max as u64 {
        return Err(Failure::too_large(max as u64));
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Failure::in_body)? {
        *read += chunk.len() as u64;
        if *read > max as u64 {
            return Err(Failure::too_large(max as u64));
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
