//! From what reqwest reports to what it proves.

use std::time::Duration;

use crate::{
    BoxError, Delivery, FailureKind, TransportError, address::Address, progress::Progress,
};

/// A failure, before it is known for which address.
#[derive(Debug)]
pub(crate) struct Failure {
    delivery: Delivery,
    kind: FailureKind,
    source: BoxError,
}

#[derive(Debug, thiserror::Error)]
enum Limit {
    #[error("the head of the answer did not arrive within the deadline of {0:?}")]
    Head(Duration),
    #[error("the body of the answer did not arrive whole within the deadline of {0:?}")]
    Body(Duration),
    #[error("the first piece of the request's body was not there within the deadline of {0:?}")]
    FirstPiece(Duration),
    #[error("nothing of the answer's body arrived for {0:?}, the limit set for its pauses")]
    Pause(Duration),
    #[error("the exchange did not end within {0:?}, the limit set for the whole")]
    Total(Duration),
    #[error("it is longer than {0} bytes, the limit set for this request")]
    Size(u64),
}

impl Failure {
    /// reqwest found no head of an answer.
    ///
    /// A failed connect comes before the first byte of the request. Everything else may come after it.
    pub(crate) fn before_head(error: reqwest::Error) -> Self {
        let (delivery, kind) = if error.is_connect() {
            (Delivery::NotSent, FailureKind::Connect)
        } else if error.is_builder() {
            (Delivery::NotSent, FailureKind::InvalidRequest)
        } else {
            (Delivery::MaybeSent, FailureKind::Broken)
        };
        Self {
            delivery,
            kind,
            source: error.without_url().into(),
        }
    }

    /// reqwest found no end of the body.
    pub(crate) fn in_body(error: reqwest::Error) -> Self {
        Self::after_head(FailureKind::BodyBroken, error.without_url())
    }

    /// The body exceeds the `limit` in bytes.
    pub(crate) fn too_large(limit: u64) -> Self {
        Self::after_head(FailureKind::BodyTooLarge, Limit::Size(limit))
    }

    /// The deadline passed. Nobody can tell how much the connection's own task had written by then.
    pub(crate) fn late(deadline: Duration, in_body: bool) -> Self {
        let limit = if in_body {
            Limit::Body(deadline)
        } else {
            Limit::Head(deadline)
        };
        Self::after_head(FailureKind::Timeout, limit)
    }

    /// No piece of the request's body came in time. It is awaited before the connection is.
    pub(crate) fn late_first_piece(deadline: Duration) -> Self {
        Self {
            delivery: Delivery::NotSent,
            kind: FailureKind::Timeout,
            source: Limit::FirstPiece(deadline).into(),
        }
    }

    /// A pause of the answer's body was too long.
    pub(crate) fn paused(limit: Duration) -> Self {
        Self::after_head(FailureKind::Timeout, Limit::Pause(limit))
    }

    /// The exchange took longer than its caller allows in all.
    pub(crate) fn late_in_all(limit: Duration) -> Self {
        Self::after_head(FailureKind::Timeout, Limit::Total(limit))
    }

    /// The stream of the request's body failed before anything was sent.
    pub(crate) fn before_upload(source: BoxError) -> Self {
        Self {
            delivery: Delivery::NotSent,
            kind: FailureKind::UploadBroken,
            source,
        }
    }

    /// The stream of the request's body failed after the connection had asked for it.
    pub(crate) fn in_upload(source: BoxError) -> Self {
        Self::after_head(FailureKind::UploadBroken, source)
    }

    fn after_head(kind: FailureKind, source: impl Into<BoxError>) -> Self {
        Self {
            delivery: Delivery::MaybeSent,
            kind,
            source: source.into(),
        }
    }

    /// The error for the caller, who asked for the whole exchange: when an earlier hop was answered, the
    /// exchange has been sent even if the last hop was not.
    pub(crate) fn of_exchange(self, address: &Address, progress: &Progress) -> TransportError {
        let delivery = if progress.hops > 0 {
            Delivery::MaybeSent
        } else {
            self.delivery
        };
        address
            .failure(delivery, self.kind)
            .with_source(self.source)
    }
}
