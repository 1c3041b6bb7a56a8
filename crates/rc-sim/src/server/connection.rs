//! One TCP connection: requests in, answers or their absence out.

use std::{
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::watch};

use super::{host::Hosts, lock, stop_signal, wall_clock};
use crate::{
    control,
    fault::{Answer, Delivery},
    platform::Platform,
    reply,
};

/// The largest request body read.
const MAX_BODY: usize = 1024 * 1024;
/// How long a client may take to send a head, or a body.
const READ_TIME: Duration = Duration::from_secs(30);

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) hosts: Hosts,
    pub(super) platform: Arc<Mutex<Platform>>,
}

pub(super) async fn serve(stream: TcpStream, shared: Shared, mut stopped: watch::Receiver<bool>) {
    // A connection that is broken already has no address, and nobody to answer.
    let local = stream.local_addr().ok().map(|address| address.ip());
    let service = service_fn(move |request| respond(request, shared.clone(), local));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIME)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How a connection ends, broken by a fault or by its client, is the client's concern.
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop_signal(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    drop(ended);
}

/// The connection is dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault broke the connection")]
struct Broken;

async fn respond(
    request: Request<Incoming>,
    shared: Shared,
    local: Option<IpAddr>,
) -> Result<Response<Outbound>, Broken> {
    let Shared { hosts, platform } = shared;
    if let Err(refusal) = hosts.check(&request, local) {
        return Ok(dated(*refusal, &platform).map(Outbound::whole));
    }
    let request = match read_whole(request).await {
        Ok(request) => request,
        Err(status) => return Ok(dated(reply::empty(status), &platform).map(Outbound::whole)),
    };
    if request.uri().path().starts_with(control::PREFIX) {
        let response = lock(&platform).control(&request, wall_clock());
        return Ok(response.map(Outbound::whole));
    }
    let Answer {
        response,
        delay,
        delivery,
    } = lock(&platform).answer(&request, wall_clock());
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match delivery {
        Delivery::Whole => Ok(response.map(Outbound::whole)),
        Delivery::DropBefore | Delivery::DropAfter => Err(Broken),
        Delivery::Truncate(bytes) => Ok(truncated(response, bytes)),
    }
}

/// Gives an answer of the server's own the platform's date.
fn dated(mut response: Response<Bytes>, platform: &Mutex<Platform>) -> Response<Bytes> {
    let now = lock(platform).clock(wall_clock());
    reply::header(&mut response, "date", &now.http_date());
    response
}

async fn read_whole(request: Request<Incoming>) -> Result<Request<Bytes>, StatusCode> {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(READ_TIME, Limited::new(body, MAX_BODY).collect())
        .await
        .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => StatusCode::PAYLOAD_TOO_LARGE,
            None => StatusCode::BAD_REQUEST,
        })?;
    Ok(Request::from_parts(head, body.to_bytes()))
}

/// The whole length in the head, `bytes` of the body, then a closed connection.
fn truncated(response: Response<Bytes>, bytes: usize) -> Response<Outbound> {
    let whole = response.body().len();
    let mut response = response.map(|body| Outbound::cut(body, bytes));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(whole));
    response
}

/// A body that may break off.
struct Outbound {
    bytes: Bytes,
    /// What the head says.
    declared: u64,
    /// The connection breaks after `bytes`.
    cut: bool,
    flushed: bool,
}

impl Outbound {
    fn whole(bytes: Bytes) -> Self {
        Self {
            declared: bytes.len() as u64,
            bytes,
            cut: false,
            flushed: false,
        }
    }

    fn cut(body: Bytes, bytes: usize) -> Self {
        let cut = bytes < body.len();
        let declared = body.len() as u64;
        Self {
            bytes: body.slice(..bytes.min(body.len())),
            declared,
            cut,
            flushed: false,
        }
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        // The server flushes what it has when the body has nothing ready; an error at once would lose it.
        if !std::mem::replace(&mut self.flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared)
    }
}
