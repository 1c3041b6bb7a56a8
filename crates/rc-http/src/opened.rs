//! An answer whose body is still to come.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode};

use crate::{Incoming, TransportError};

/// The head of an answer, and its body as a stream.
///
/// `Debug` prints the status and the length: no header, no body.
#[non_exhaustive]
pub struct Opened {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The length of the body to come, in bytes, if it is known. It is 0 in the answer to a HEAD request,
    /// whose `Content-Length` header speaks of another answer.
    pub content_length: Option<u64>,
    /// Its body.
    pub body: IncomingBody,
}

impl Opened {
    /// An answer made of its parts; for implementations of [`HttpClient`](crate::HttpClient).
    #[must_use]
    pub fn new(
        status: StatusCode,
        headers: HeaderMap,
        content_length: Option<u64>,
        body: IncomingBody,
    ) -> Self {
        Self {
            status,
            headers,
            content_length,
            body,
        }
    }
}

impl From<Incoming> for Opened {
    fn from(incoming: Incoming) -> Self {
        let length = incoming.body.len() as u64;
        let body = IncomingBody::from(incoming.body);
        Self::new(incoming.status, incoming.headers, Some(length), body)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("status", &self.status)
            .field("content_length", &self.content_length)
            .finish_non_exhaustive()
    }
}

/// The body of an answer, piece by piece.
///
/// It ends after its last byte or its first error, and no piece is empty. Only a stream that ended without
/// an error was whole. Dropping it before that closes the exchange: on HTTP/1.1 the connection, on HTTP/2
/// the stream.
///
/// ```
/// use futures_util::TryStreamExt;
/// use rc_http::{HttpClient, Opening, TransportError};
/// use std::io::Write;
///
/// async fn save(client: &dyn HttpClient, opening: Opening, file: &mut dyn Write) -> std::io::Result<()> {
///     let mut opened = client.open(opening).await.map_err(std::io::Error::other)?;
///     while let Some(piece) = opened.body.try_next().await.map_err(std::io::Error::other)? {
///         file.write_all(&piece)?;
///     }
///     Ok(())
/// }
/// ```
pub struct IncomingBody {
    pieces: Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>,
}

impl IncomingBody {
    /// A body of `pieces`; for implementations of [`HttpClient`](crate::HttpClient), which keep the limits
    /// of the [`Opening`](crate::Opening) themselves.
    pub fn new<S>(pieces: S) -> Self
    where
        S: Stream<Item = Result<Bytes, TransportError>> + Send + 'static,
    {
        Self {
            pieces: Box::pin(pieces),
        }
    }

    /// Reads the first `max` bytes and drops the rest: for the texts of error answers, which nobody needs
    /// in full.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when the body fails before it ends or `max` bytes are there.
    pub async fn read_up_to(mut self, max: usize) -> Result<Bytes, TransportError> {
        let mut whole = BytesMut::new();
        while whole.len() < max {
            let Some(piece) = self.next().await else {
                break;
            };
            let piece = piece?;
            whole.extend_from_slice(&piece[..piece.len().min(max - whole.len())]);
        }
        Ok(whole.freeze())
    }
}

/// One piece, or none if it is empty.
impl From<Bytes> for IncomingBody {
    fn from(bytes: Bytes) -> Self {
        let piece = (!bytes.is_empty()).then_some(Ok(bytes));
        Self::new(stream::iter(piece))
    }
}

impl Stream for IncomingBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for IncomingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingBody").finish_non_exhaustive()
    }
}
