//! Request bodies of unknown length: refused, because no form of a browser has one.
//!
//! The server reads such a body to its end before it reuses the connection, with no limit of time. A body that
//! is still held when the answer has been sent is not read: the connection is closed instead.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpMessage as _, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest},
    http::{
        StatusCode,
        header::{ContentType, TRANSFER_ENCODING},
    },
    web::Bytes,
};

const TEXT: &[u8] = b"The length of the body must be given (Content-Length).\n";

/// The answer to a request whose body comes in chunks (411, RFC 9110 section 15.5.12); `None` for others.
pub(crate) fn refusal(request: &mut ServiceRequest) -> Option<HttpResponse> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let body = Held {
        text: Some(Bytes::from_static(TEXT)),
        _request: request.take_payload(),
    };
    let mut response = HttpResponse::build(StatusCode::LENGTH_REQUIRED);
    response.content_type(ContentType::plaintext());
    Some(response.force_close().body(BoxBody::new(body)))
}

/// A text, and the unread body of the request it answers.
struct Held {
    text: Option<Bytes>,
    _request: Payload,
}

impl MessageBody for Held {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(TEXT.len() as u64)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(self.get_mut().text.take().map(Ok))
    }
}
