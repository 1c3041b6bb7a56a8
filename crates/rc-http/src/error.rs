//! What is known when there is no whole answer.

use std::{error::Error, fmt};

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
    /// The name did not resolve, the connection was refused or took longer than the connect timeout, or
    /// TLS failed.
    Connect,
    /// A deadline or another limit of time passed.
    Timeout,
    /// The connection broke before the head of the answer.
    Broken,
    /// The head arrived, the body did not arrive whole.
    BodyBroken,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The stream of the request's body failed, or is not as long as it was said to be.
    UploadBroken,
    /// The request cannot be sent as it is.
    InvalidRequest,
}

/// No whole answer arrived.
///
/// Prints the origin (scheme, host, port) only: never a path, a query, a header or a body. The cause is
/// its [source](Error::source).
///
/// ```
/// use rc_http::{Delivery, FailureKind, TransportError};
///
/// let error = TransportError::new(Delivery::MaybeSent, FailureKind::Timeout, "https://example.com");
/// assert_eq!(error.to_string(), "no whole answer in time from https://example.com");
/// assert_eq!(error.delivery(), Delivery::MaybeSent);
/// ```
#[derive(Debug)]
pub struct TransportError {
    delivery: Delivery,
    kind: FailureKind,
    origin: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    /// A failure to exchange a request with `origin`, such as `https://platform.example.com`.
    pub fn new(delivery: Delivery, kind: FailureKind, origin: impl Into<String>) -> Self {
        Self {
            delivery,
            kind,
            origin: origin.into(),
            source: None,
        }
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

    /// The scheme, host and port that the request was for.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FailureKind::Connect => "cannot connect to",
            FailureKind::Timeout => "no whole answer in time from",
            FailureKind::Broken => "the connection broke before an answer came from",
            FailureKind::BodyBroken => "the answer's body broke off from",
            FailureKind::BodyTooLarge => "the answer's body is too large from",
            FailureKind::UploadBroken => "the request's body could not be read whole to send it to",
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
