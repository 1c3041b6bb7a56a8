//! One exchange on reqwest whose bodies are streams.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use tokio::time::timeout_at;
use tracing::{Instrument, debug};

use crate::{
    BodyStream, IncomingBody, Opened, Opening, OutgoingBody, Redirects, TransportError,
    address::Address,
    download::Download,
    failure::Failure,
    hop::{Hop, follow},
    limits::Limits,
    progress::Progress,
    send::request_span,
    upload::{Upload, UploadHandle},
};

/// Sends `opening` to `address` and logs what became of it.
pub(crate) async fn open(
    client: &reqwest::Client,
    address: Address,
    opening: Opening,
) -> Result<Opened, TransportError> {
    let span = request_span(&address, opening.request.method());
    let limits = Limits::of(&opening);
    let mut progress = Progress::default();
    let head = head(client, &address, opening, &limits, &mut progress)
        .instrument(span.clone())
        .await;
    let head = head.map_err(|failure| failure.of_exchange(&address, &progress));
    span.in_scope(|| log(head.as_ref().err(), &progress, limits.started.elapsed()));
    let (response, upload) = head?;
    let content_length = response.content_length();
    let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    let body = Download::new(body, upload, address, progress, &limits, span);
    let body = IncomingBody::new(body);
    Ok(Opened::new(head.status, head.headers, content_length, body))
}

fn log(error: Option<&TransportError>, progress: &Progress, elapsed: Duration) {
    let status = progress.status.map(|status| status.as_u16());
    let hops = progress.hops;
    match error {
        None => debug!(status, hops, ?elapsed, "opened"),
        Some(error) => debug!(
            status,
            hops,
            ?elapsed,
            delivery = ?error.delivery(),
            kind = ?error.kind(),
            error = error as &(dyn Error + 'static),
            "no whole answer"
        ),
    }
}

/// The head of the answer, unless it announces a body over the cap.
async fn head(
    client: &reqwest::Client,
    address: &Address,
    opening: Opening,
    limits: &Limits,
    progress: &mut Progress,
) -> Result<(reqwest::Response, Option<UploadHandle>), Failure> {
    let redirects = opening.redirects;
    let (parts, body) = opening.request.into_parts();
    let (response, upload) = match body {
        OutgoingBody::Whole(bytes) => {
            let hop = Hop::new(parts, address, bytes);
            let response = whole(client, hop, redirects, limits, progress).await?;
            (response, None)
        }
        OutgoingBody::Stream { len, stream } => {
            let mut hop = Hop::new(parts, address, ());
            hop.leave_framing_to_the_body();
            let (response, upload) = streamed(client, hop, (len, stream), limits).await?;
            progress.status = Some(response.status());
            (response, Some(upload))
        }
    };
    match response.content_length() {
        Some(announced) if announced > limits.max_body => Err(Failure::too_large(limits.max_body)),
        _ => Ok((response, upload)),
    }
}

async fn whole(
    client: &reqwest::Client,
    hop: Hop<Bytes>,
    redirects: Redirects,
    limits: &Limits,
    progress: &mut Progress,
) -> Result<reqwest::Response, Failure> {
    tokio::select! {
        biased;
        response = follow(client, hop, redirects, progress) => response,
        late = limits.head_late(None) => Err(late),
    }
}

/// Sends a body that is there once, so that no redirect can be followed.
async fn streamed(
    client: &reqwest::Client,
    hop: Hop<()>,
    (len, stream): (Option<u64>, BodyStream),
    limits: &Limits,
) -> Result<(reqwest::Response, UploadHandle), Failure> {
    let (first_by, _) = limits.head_end(limits.started);
    let (upload, handle) = timeout_at(first_by, Upload::begin(len, stream))
        .await
        .map_err(|_| Failure::late_first_piece(first_by - limits.started))?
        .map_err(Failure::before_upload)?;
    let request = hop.with_body(reqwest::Body::wrap(upload));
    let response = tokio::select! {
        biased;
        response = client.execute(request) => response,
        late = limits.head_late(Some(&handle)) => return Err(late),
    };
    match response {
        Ok(response) => Ok((response, handle)),
        Err(error) => Err(match handle.take_failure() {
            Some(source) => Failure::in_upload(source),
            None => Failure::before_head(error),
        }),
    }
}
