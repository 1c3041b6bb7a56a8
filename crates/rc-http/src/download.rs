//! An answer's body on its way in, with its cap and its limits of time.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tracing::{Span, debug};

use crate::{
    TransportError, address::Address, failure::Failure, limits::Limits, progress::Progress,
    upload::UploadHandle,
};

/// The stream behind an [`IncomingBody`](crate::IncomingBody) of this crate's client.
pub(crate) struct Download {
    /// Dropped at the first error, which closes the exchange.
    source: Option<Source>,
    address: Address,
    progress: Progress,
    max_body: u64,
    pause: Pause,
    total: Option<(Duration, Pin<Box<Sleep>>)>,
    started: Instant,
    span: Span,
}

/// What holds the exchange open.
struct Source {
    body: Pin<Box<reqwest::Body>>,
    upload: Option<UploadHandle>,
}

/// The wait for one piece.
struct Pause {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Pause {
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.waiting = true;
            self.sleep = Box::pin(sleep(self.limit));
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl Download {
    /// The body of the answer whose head `progress` tells of.
    pub(crate) fn new(
        body: reqwest::Body,
        upload: Option<UploadHandle>,
        address: Address,
        progress: Progress,
        limits: &Limits,
        span: Span,
    ) -> Self {
        Self {
            source: Some(Source {
                body: Box::pin(body),
                upload,
            }),
            address,
            progress,
            max_body: limits.max_body,
            pause: Pause {
                limit: limits.idle,
                sleep: Box::pin(sleep(limits.idle)),
                waiting: false,
            },
            total: limits
                .total_end()
                .map(|(limit, end)| (limit, Box::pin(sleep_until(end)))),
            started: limits.started,
            span,
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        if let Some((limit, sleep)) = &mut self.total
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(Failure::late_in_all(*limit))));
        }
        let Poll::Ready(piece) = source.poll_data(cx) else {
            ready!(self.pause.poll_over(cx));
            return Poll::Ready(Some(Err(Failure::paused(self.pause.limit))));
        };
        self.pause.waiting = false;
        Poll::Ready(piece.map(|piece| piece.and_then(|piece| self.count(piece))))
    }

    fn count(&mut self, piece: Bytes) -> Result<Bytes, Failure> {
        self.progress.bytes += piece.len() as u64;
        if self.progress.bytes > self.max_body {
            return Err(Failure::too_large(self.max_body));
        }
        Ok(piece)
    }

    fn log_end(&self, error: Option<&TransportError>) {
        let bytes = self.progress.bytes;
        let elapsed = self.started.elapsed();
        self.span.in_scope(|| match error {
            None => debug!(bytes, ?elapsed, "received"),
            Some(error) => debug!(
                bytes,
                ?elapsed,
                delivery = ?error.delivery(),
                kind = ?error.kind(),
                error = error as &(dyn Error + 'static),
                "no whole answer"
            ),
        });
    }
}

impl Source {
    /// The next piece that is not empty. Trailers are passed over.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let frame = frame.map_err(|error| self.failure(error));
            match frame.map(|frame| frame.into_data().unwrap_or_default()) {
                Ok(piece) if piece.is_empty() => {}
                piece => return Poll::Ready(Some(piece)),
            }
        }
    }

    /// A connection that breaks because the upload did says so.
    fn failure(&self, error: reqwest::Error) -> Failure {
        let upload = self.upload.as_ref().and_then(UploadHandle::take_failure);
        upload.map_or_else(|| Failure::in_body(error), Failure::in_upload)
    }
}

impl Stream for Download {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.source.is_none() {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let end = match ready!(this.poll_piece(cx)) {
            Some(Ok(piece)) => return Poll::Ready(Some(Ok(piece))),
            Some(Err(failure)) => Some(failure.of_exchange(&this.address, &this.progress)),
            None => None,
        };
        this.source = None;
        this.log_end(end.as_ref());
        Poll::Ready(end.map(Err))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.source.is_some() {
            let bytes = self.progress.bytes;
            let elapsed = self.started.elapsed();
            self.span.in_scope(|| debug!(bytes, ?elapsed, "abandoned"));
        }
    }
}
