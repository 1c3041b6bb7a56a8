//! A request whose body, or whose answer's body, does not fit into memory.

use std::{error::Error, fmt, pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt};
use http::Request;

use crate::{
    Delivery, FailureKind, Outgoing, Redirects, TransportError, address::origin_of,
    measured::Measured,
};

/// The error of a stream that a caller brings.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The pieces of a request's body. Its errors must print no URL and no secret.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// The body of a request.
///
/// `Debug` prints its length and nothing of its content.
///
/// ```
/// use bytes::Bytes;
/// use futures_util::stream;
/// use rc_http::OutgoingBody;
///
/// let whole = OutgoingBody::from(Bytes::from_static(b"a=b"));
/// assert_eq!((whole.length(), whole.can_repeat()), (Some(3), true));
///
/// let pieces = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"a=b"))]);
/// let streamed = OutgoingBody::stream(None, pieces);
/// assert_eq!((streamed.length(), streamed.can_repeat()), (None, false));
/// ```
#[non_exhaustive]
pub enum OutgoingBody {
    /// All of it, in memory.
    Whole(Bytes),
    /// Piece by piece, once.
    Stream {
        /// The length in bytes, when it is known: it is sent as `Content-Length`, and a stream of any other
        /// length fails. Without it, HTTP/1.1 uses chunked transfer coding, which some servers refuse.
        len: Option<u64>,
        /// The pieces, asked for as fast as the connection takes them.
        stream: BodyStream,
    },
}

impl OutgoingBody {
    /// A body of pieces, `len` bytes long if that is known.
    pub fn stream<S, E>(len: Option<u64>, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        Self::Stream {
            len,
            stream: Box::pin(stream.map_err(Into::into)),
        }
    }

    /// The length in bytes, if it is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Stream { len, .. } => *len,
        }
    }

    /// Whether it can be sent twice: a whole body can, a stream cannot.
    #[must_use]
    pub fn can_repeat(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// A second body like this one, unless it is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::Stream { .. } => None,
        }
    }

    async fn collect(self) -> Result<Bytes, BoxError> {
        let (len, stream) = match self {
            Self::Whole(bytes) => return Ok(bytes),
            Self::Stream { len, stream } => (len, stream),
        };
        let mut pieces = Measured::new(len, stream);
        let mut whole = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole.freeze())
    }
}

impl From<Bytes> for OutgoingBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Whole(_) => "Whole",
            Self::Stream { .. } => "Stream",
        };
        f.debug_struct(name)
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

/// One request to [open](crate::HttpClient::open), and the limits its answer has to keep.
///
/// Where an [`Outgoing`] has one deadline for everything, this has one for each thing that can stall: a large
/// body takes as long as it takes, provided that it moves.
///
/// `Debug` prints method, host, path and the body's length: no query, no header, no body.
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use rc_http::Opening;
///
/// let uri = "https://media.example.com/restapi/v1.0/recording/1/content";
/// let opening = Opening::new(http::Request::get(uri).body(Bytes::new())?)
///     .idle_limit(Duration::from_secs(10))
///     .max_body(64 * 1024 * 1024);
/// assert!(opening.can_repeat());
/// # Ok::<(), http::Error>(())
/// ```
#[non_exhaustive]
pub struct Opening {
    /// What to send: an absolute URI, headers, body. The same holds for its secrets as for those of
    /// [`Outgoing::request`].
    pub request: Request<OutgoingBody>,
    /// Time until the head of the answer. Each piece of a streamed request body starts it anew.
    pub head_deadline: Duration,
    /// The longest pause between two pieces of the answer's body, counted while the caller waits for one.
    pub idle_limit: Duration,
    /// Time for everything, until the last byte of the answer's body; `None` is without limit.
    pub total_limit: Option<Duration>,
    /// The largest body accepted, in bytes.
    pub max_body: u64,
    /// What to do with a 3xx answer. After a streamed body it is always handed to the caller, because the
    /// stream is used up.
    pub redirects: Redirects,
}

impl Opening {
    /// 30 s, as for a whole exchange: until the head there is nothing to see of a download either.
    pub const DEFAULT_HEAD_DEADLINE: Duration = Outgoing::DEFAULT_DEADLINE;
    /// 30 s: lost packets and a change of network are over in seconds; who is silent for longer is gone.
    pub const DEFAULT_IDLE_LIMIT: Duration = Duration::from_secs(30);
    /// 1 GiB: a day of telephone speech (64 kbit/s) is 660 MiB, and the cap keeps a server that never stops
    /// from filling a disk. Memory does not depend on it.
    pub const DEFAULT_MAX_BODY: u64 = 1024 * 1024 * 1024;

    /// A request with the default limits, no limit for the whole, and redirects that are answers.
    #[must_use]
    pub fn new<B: Into<OutgoingBody>>(request: Request<B>) -> Self {
        Self {
            request: request.map(Into::into),
            head_deadline: Self::DEFAULT_HEAD_DEADLINE,
            idle_limit: Self::DEFAULT_IDLE_LIMIT,
            total_limit: None,
            max_body: Self::DEFAULT_MAX_BODY,
            redirects: Redirects::Refuse,
        }
    }

    /// Replaces the time until the head, [`Self::DEFAULT_HEAD_DEADLINE`] by default.
    #[must_use]
    pub fn head_deadline(mut self, deadline: Duration) -> Self {
        self.head_deadline = deadline;
        self
    }

    /// Replaces the longest pause of the body, [`Self::DEFAULT_IDLE_LIMIT`] by default.
    #[must_use]
    pub fn idle_limit(mut self, limit: Duration) -> Self {
        self.idle_limit = limit;
        self
    }

    /// Limits the time for everything, which is not limited by default.
    #[must_use]
    pub fn total_limit(mut self, limit: Duration) -> Self {
        self.total_limit = Some(limit);
        self
    }

    /// Replaces the body limit in bytes, [`Self::DEFAULT_MAX_BODY`] by default.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Replaces the redirect rule, [`Redirects::Refuse`] by default.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Whether it can be sent twice, which a request with a streamed body cannot.
    #[must_use]
    pub fn can_repeat(&self) -> bool {
        self.request.body().can_repeat()
    }

    /// A second request like this one, to send it again, unless its body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        let body = self.request.body().try_clone()?;
        let mut request = Request::new(body);
        *request.method_mut() = self.request.method().clone();
        *request.uri_mut() = self.request.uri().clone();
        *request.version_mut() = self.request.version();
        *request.headers_mut() = self.request.headers().clone();
        *request.extensions_mut() = self.request.extensions().clone();
        Some(Self { request, ..*self })
    }

    /// The same request with a whole body, for clients that know no other.
    pub(crate) async fn into_outgoing(self) -> Result<Outgoing, TransportError> {
        let can_repeat = self.can_repeat();
        let (parts, body) = self.request.into_parts();
        let body = body.collect().await.map_err(|error| {
            let origin = origin_of(&parts.uri);
            TransportError::new(Delivery::NotSent, FailureKind::UploadBroken, origin)
                .with_source(error)
        })?;
        let total = self.total_limit.unwrap_or(self.head_deadline);
        let redirects = if can_repeat {
            self.redirects
        } else {
            Redirects::Refuse
        };
        Ok(Outgoing::new(Request::from_parts(parts, body))
            .deadline(self.head_deadline.min(total))
            .max_body(usize::try_from(self.max_body).unwrap_or(usize::MAX))
            .redirects(redirects))
    }
}

/// The whole exchange keeps the limits it had.
impl From<Outgoing> for Opening {
    fn from(outgoing: Outgoing) -> Self {
        Self {
            head_deadline: outgoing.deadline,
            total_limit: Some(outgoing.deadline),
            max_body: outgoing.max_body as u64,
            redirects: outgoing.redirects,
            ..Self::new(outgoing.request)
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.request.uri();
        f.debug_struct("Opening")
            .field("method", self.request.method())
            .field("host", &uri.host().unwrap_or_default())
            .field("path", &uri.path())
            .field("body", self.request.body())
            .field("head_deadline", &self.head_deadline)
            .field("idle_limit", &self.idle_limit)
            .field("total_limit", &self.total_limit)
            .field("max_body", &self.max_body)
            .field("redirects", &self.redirects)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const URI: &str = "https://platform.example.com/restapi/fax?code=secret-1";

    fn streamed(len: Option<u64>) -> Opening {
        let pieces = stream::iter([
            Ok::<_, std::io::Error>(Bytes::from_static(b"secret-3, ")),
            Ok(Bytes::from_static(b"secret-4")),
        ]);
        let request = Request::post(URI)
            .header("authorization", "Bearer secret-2")
            .body(OutgoingBody::stream(len, pieces));
        Opening::new(request.unwrap())
    }

    fn whole() -> Opening {
        let request = Request::put(URI)
            .version(http::Version::HTTP_2)
            .header("authorization", "Bearer secret-2")
            .extension(7_u8)
            .body(Bytes::from_static(b"secret-3"));
        Opening::new(request.unwrap())
    }

    #[test]
    fn debug_prints_no_query_header_or_body() {
        insta::assert_snapshot!(format!("{:#?}", streamed(Some(18))), @r#"
        Opening {
            method: POST,
            host: "platform.example.com",
            path: "/restapi/fax",
            body: Stream {
                length: Some(
                    18,
                ),
                ..
            },
            head_deadline: 30s,
            idle_limit: 30s,
            total_limit: None,
            max_body: 1073741824,
            redirects: Refuse,
        }
        "#);
        assert!(!format!("{:?}", whole()).contains("secret"));
    }

    #[test]
    fn a_whole_request_can_be_repeated_as_it_is() {
        let first = whole()
            .total_limit(Duration::from_secs(7))
            .redirects(Redirects::SameOrigin);
        let second = first.try_clone().unwrap();
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        let (first, second) = (first.request, second.request);
        assert_eq!(first.uri(), second.uri());
        assert_eq!(first.version(), second.version());
        assert_eq!(first.headers(), second.headers());
        assert_eq!(second.extensions().get(), Some(&7_u8));
        let OutgoingBody::Whole(body) = second.into_body() else {
            panic!("the body became a stream");
        };
        assert_eq!(body, "secret-3");
    }

    #[test]
    fn a_streamed_request_cannot_be_repeated() {
        assert!(whole().can_repeat());
        assert!(!streamed(None).can_repeat());
        assert!(streamed(None).try_clone().is_none());
    }

    #[tokio::test]
    async fn a_stream_becomes_a_whole_body_whose_redirects_are_answers() {
        let opening = streamed(None)
            .redirects(Redirects::SameOrigin)
            .total_limit(Duration::from_secs(7))
            .max_body(5);
        let outgoing = opening.into_outgoing().await.unwrap();
        assert_eq!(outgoing.request.body(), "secret-3, secret-4");
        assert_eq!(
            outgoing.request.headers()["authorization"],
            "Bearer secret-2"
        );
        assert_eq!(outgoing.redirects, Redirects::Refuse);
        assert_eq!(outgoing.deadline, Duration::from_secs(7));
        assert_eq!(outgoing.max_body, 5);
        let late = streamed(None).total_limit(Duration::from_secs(77));
        assert_eq!(
            late.into_outgoing().await.unwrap().deadline,
            Opening::DEFAULT_HEAD_DEADLINE
        );
    }

    #[tokio::test]
    async fn a_stream_that_cannot_become_a_whole_body_is_not_sent() {
        let failure = streamed(Some(17)).into_outgoing().await.unwrap_err();
        assert_eq!(failure.delivery(), Delivery::NotSent);
        assert_eq!(failure.kind(), FailureKind::UploadBroken);
        assert_eq!(failure.origin(), "https://platform.example.com");
    }

    #[test]
    fn the_deadline_of_a_whole_exchange_holds_for_its_head_and_for_everything() {
        let deadline = Duration::from_secs(7);
        let request = Request::get(URI).body(Bytes::new()).unwrap();
        let opening = Opening::from(Outgoing::new(request).deadline(deadline).max_body(5));
        assert_eq!(opening.head_deadline, deadline);
        assert_eq!(opening.total_limit, Some(deadline));
        assert_eq!(opening.max_body, 5);
    }
}
