//! One TCP connection: requests in, answers or their absence out.

use std::{
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::watch, time::Instant};

use super::{host::Hosts, lock, stop_signal, wall_clock};
use crate::{
    control,
    fault::{Answer, Delivery},
    platform::Platform,
    reply,
    resources::error::ResourceError,
    state::file::StateFile,
    timestamp::Timestamp,
};

/// The largest request body read.
const MAX_BODY: usize = 1024 * 1024;
/// The longest snapshot that can be put back.
const MAX_SNAPSHOT: usize = 256 * 1024 * 1024;
/// How long a client may take to send a head, or a body.
const READ_TIME: Duration = Duration::from_secs(30);

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) hosts: Hosts,
    pub(super) platform: Arc<Mutex<Platform>>,
    /// Where the platform is kept, if anywhere. Locked only by who has locked the platform.
    pub(super) state: Option<Arc<Mutex<StateFile>>>,
    /// Told of every request, for those who wait for events.
    pub(super) happened: Arc<watch::Sender<()>>,
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
    if let Err(refusal) = shared.hosts.check(&request, local) {
        return Ok(dated(*refusal, &shared.platform).map(Outbound::whole));
    }
    let request = match read_whole(request).await {
        Ok(request) => request,
        Err(error) => return Ok(dated(error.respond(), &shared.platform).map(Outbound::whole)),
    };
    if request.uri().path().starts_with(control::PREFIX) {
        return Ok(shared.control(&request).await.map(Outbound::whole));
    }
    let Answer {
        response,
        delay,
        delivery,
    } = shared.answer(&request);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match delivery {
        Delivery::Whole => Ok(response.map(Outbound::whole)),
        Delivery::DropBefore | Delivery::DropAfter => Err(Broken),
        Delivery::Truncate(bytes) => Ok(truncated(response, bytes)),
    }
}

impl Shared {
    fn answer(&self, request: &Request<Bytes>) -> Answer {
        let answer = self.keeping(|platform, now| platform.answer(request, now));
        self.happened.send_replace(());
        answer.unwrap_or_else(|failed| Answer::whole(*failed))
    }

    /// Answers a control request; one for events may wait until there are some.
    async fn control(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut happened = self.happened.subscribe();
        let until = Instant::now() + control::wait(request);
        loop {
            let answer = self.keeping(|platform, now| platform.control(request, now));
            let response = answer.unwrap_or_else(|failed| *failed);
            if !control::is_nothing(request, &response) {
                return response;
            }
            let waited = tokio::time::timeout_at(until, happened.changed());
            if waited.await.is_err() {
                return response;
            }
        }
    }

    /// Does something to the platform, and writes what that changed before anybody hears of it.
    fn keeping<T>(
        &self,
        act: impl FnOnce(&mut Platform, Timestamp) -> T,
    ) -> Result<T, Box<Response<Bytes>>> {
        let mut platform = lock(&self.platform);
        let now = wall_clock();
        let done = act(&mut platform, now);
        let Some(state) = &self.state else {
            return Ok(done);
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.keep(&mut platform, now) {
            Ok(()) => Ok(done),
            Err(error) => Err(Box::new(ResourceError::not_kept(&error).respond())),
        }
    }
}

/// Gives an answer of the server's own the platform's date.
fn dated(mut response: Response<Bytes>, platform: &Mutex<Platform>) -> Response<Bytes> {
    let now = lock(platform).clock(wall_clock());
    reply::header(&mut response, "date", &now.http_date());
    response
}

async fn read_whole(request: Request<Incoming>) -> Result<Request<Bytes>, ResourceError> {
    let (head, body) = request.into_parts();
    // A snapshot may be as long as the platform's memory of it.
    let most = match head.uri.path() {
        control::SNAPSHOT => MAX_SNAPSHOT,
        _ => MAX_BODY,
    };
    let body = tokio::time::timeout(READ_TIME, Limited::new(body, most).collect())
        .await
        .map_err(|_| ResourceError::slow_request())?
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => ResourceError::too_large(),
            None => ResourceError::unreadable(),
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
