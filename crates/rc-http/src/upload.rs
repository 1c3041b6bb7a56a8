//! A streamed request body on its way out.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use http_body::{Body, Frame, SizeHint};
use tokio::{sync::oneshot, time::Instant};

use crate::{BodyStream, BoxError, measured::Measured};

/// Why the connection gets no more of a body. The cause is for the caller; logs below this crate see only
/// this.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum NoMore {
    #[error("the stream of the request's body failed")]
    Failed,
    #[error("the exchange was abandoned")]
    Abandoned,
}

/// What the connection reads.
pub(crate) struct Upload {
    first: Option<Bytes>,
    /// Never locked: the connection alone has it, and a `Mutex` may be shared where a stream may not.
    rest: Mutex<Measured>,
    left: Option<u64>,
    ended: bool,
    shared: Arc<Shared>,
    abandoned: oneshot::Receiver<()>,
}

/// What the exchange keeps of its upload. Dropping it ends the upload.
pub(crate) struct UploadHandle {
    shared: Arc<Shared>,
    _abandons_when_dropped: oneshot::Sender<()>,
}

struct Shared {
    moved: Mutex<Instant>,
    failure: Mutex<Option<BoxError>>,
}

impl Upload {
    /// Waits for the first piece, so that a source that cannot be read at all costs no connection, and the
    /// request is known to be unsent.
    pub(crate) async fn begin(
        len: Option<u64>,
        stream: BodyStream,
    ) -> Result<(Self, UploadHandle), BoxError> {
        let mut rest = Measured::new(len, stream);
        let first = rest.next().await.transpose()?;
        let shared = Arc::new(Shared {
            moved: Mutex::new(Instant::now()),
            failure: Mutex::new(None),
        });
        let (sender, abandoned) = oneshot::channel();
        let upload = Self {
            first,
            rest: Mutex::new(rest),
            left: len,
            ended: false,
            shared: Arc::clone(&shared),
            abandoned,
        };
        let handle = UploadHandle {
            shared,
            _abandons_when_dropped: sender,
        };
        Ok((upload, handle))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NoMore>>> {
        if Pin::new(&mut self.abandoned).poll(cx).is_ready() {
            return Poll::Ready(Some(Err(NoMore::Abandoned)));
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let rest = self.rest.get_mut().unwrap_or_else(PoisonError::into_inner);
        let piece = ready!(Pin::new(rest).poll_next(cx));
        Poll::Ready(piece.map(|piece| {
            piece.map_err(|error| {
                self.shared.fail(error);
                NoMore::Failed
            })
        }))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = NoMore;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoMore>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.poll_piece(cx));
        match &piece {
            Some(Ok(bytes)) => {
                self.shared.moves();
                let given = bytes.len() as u64;
                self.left = self.left.map(|left| left.saturating_sub(given));
            }
            _ => self.ended = true,
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl UploadHandle {
    /// When the connection last took a piece.
    pub(crate) fn moved(&self) -> Instant {
        *self
            .shared
            .moved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the stream failed, if it did; once.
    pub(crate) fn take_failure(&self) -> Option<BoxError> {
        self.shared
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// No code panics while it holds one of the locks, so a poisoned one is whole.
impl Shared {
    fn moves(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn fail(&self, error: BoxError) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}
