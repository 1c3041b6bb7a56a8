//! One request and its answer, as values.

use std::{error::Error, fmt, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends one request and reads its whole answer.
///
/// Implementations never retry, never follow a redirect that [`Outgoing::redirects`] does not allow, and
/// never log a body, a query or a sensitive header.
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends `outgoing` once.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when no whole answer arrived; [`TransportError::delivery`] says whether the
    /// server can have seen the request.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>>;
}

/// One request, and the limits its answer has to keep.
#[non_exhaustive]
pub struct Outgoing {
    /// What to send. Credentials belong in headers marked sensitive.
    pub request: Request<Bytes>,
    /// Time for everything: connecting, sending, and reading the last byte of the body.
    pub deadline: Duration,
    /// The largest body accepted, in bytes.
    pub max_body: usize,
    /// What to do with a 3xx answer.
    pub redirects: Redirects,
}

impl Outgoing {
    /// 30 s.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
    /// 1 MiB.
    pub const DEFAULT_MAX_BODY: usize = 1024 * 1024;

    /// A request with the default limits, whose redirects are answers and not followed.
    #[must_use]
    pub fn new(request: Request<Bytes>) -> Self {
        Self {
            request,
            deadline: Self::DEFAULT_DEADLINE,
            max_body: Self::DEFAULT_MAX_BODY,
            redirects: Redirects::Refuse,
        }
    }

    /// Replaces the time limit.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Replaces the body limit.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Replaces the redirect rule.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }
}

/// What to do with a 3xx answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Redirects {
    /// Hand the 3xx to the caller. The rule for OAuth endpoints: a followed redirect would carry a code
    /// or a token to another place.
    Refuse,
    /// Follow up to five redirects that stay on the same scheme, host and port.
    SameOrigin,
}

/// A whole answer.
#[non_exhaustive]
pub struct Incoming {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body, decoded from transfer coding, at most [`Outgoing::max_body`] bytes.
    pub body: Bytes,
}

impl Incoming {
    /// An answer made of its parts; for implementations of [`HttpClient`].
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body }
    }
}

/// Whether a request that failed can have reached the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// Not one byte of it left: safe to repeat.
    NotSent,
    /// It may have been received and carried out, also when the answer's body broke off.
    MaybeSent,
}

/// What went wrong, for people and metrics. Decisions are made by [`Delivery`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The name did not resolve, the connection was refused, or TLS failed.
    Connect,
    /// The deadline passed.
    Timeout,
    /// The connection broke before the head of the answer.
    Broken,
    /// The head arrived, the body did not arrive whole.
    BodyBroken,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The request cannot be sent as it is.
    InvalidRequest,
}

/// No whole answer arrived.
///
/// Prints the origin (scheme, host, port) only: never a path, a query, a header or a body.
#[derive(Debug)]
pub struct TransportError {
    delivery: Delivery,
    kind: FailureKind,
    origin: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    /// A failure to reach `origin`.
    pub fn new(delivery: Delivery, kind: FailureKind, origin: impl Into<String>) -> Self {
        Self { delivery, kind, origin: origin.into(), source: None }
    }

    /// Adds the cause. It must print no URL and no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the server can have seen the request.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FailureKind::Connect => "cannot connect to",
            FailureKind::Timeout => "no answer in time from",
            FailureKind::Broken => "the connection broke before an answer came from",
            FailureKind::BodyBroken => "the answer's body broke off from",
            FailureKind::BodyTooLarge => "the answer's body is too large from",
            FailureKind::InvalidRequest => "the request cannot be sent to",
        };
        write!(f, "{what} {}", self.origin)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
