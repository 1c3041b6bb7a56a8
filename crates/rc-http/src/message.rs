//! One request and its answer, as values, and the trait that exchanges them.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use crate::{Opened, Opening, TransportError};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends one request and hands out its answer: whole with [`send`](Self::send), piece by piece with
/// [`open`](Self::open).
///
/// Implementations never retry, never follow a redirect that [`Outgoing::redirects`] does not allow, and
/// never log a body, a query or a sensitive header. Any status is an answer, also 500; an error means
/// that there is no whole answer.
///
/// Dropping the future abandons the exchange. The server may have carried out the request all the same:
/// to a caller who drops, the outcome is [`Delivery::MaybeSent`](crate::Delivery::MaybeSent).
///
/// A double for tests has one method to write:
///
/// ```
/// use bytes::Bytes;
/// use http::{HeaderMap, StatusCode};
/// use rc_http::{BoxFuture, HttpClient, Incoming, Outgoing, TransportError};
///
/// #[derive(Debug)]
/// struct Unavailable;
///
/// impl HttpClient for Unavailable {
///     fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
///         let answer = Incoming::new(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Bytes::new());
///         Box::pin(async { Ok(answer) })
///     }
/// }
/// ```
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends `outgoing` once.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when no whole answer arrived; [`TransportError::delivery`] says whether the
    /// server can have seen the request.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>>;

    /// Sends `opening` once, and returns as soon as the head of its answer is there. Its body follows as a
    /// stream.
    ///
    /// Provided for doubles, which have only [`send`](Self::send): the request's body is put together in
    /// memory and the answer's body is one piece. The deadline of that `send` is the shorter of
    /// [`Opening::head_deadline`] and [`Opening::total_limit`]. Clients that speak to a network override it.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when no head arrived; [`TransportError::delivery`] says whether the server can
    /// have seen the request. What goes wrong later is an item of the [`Opened::body`].
    fn open(&self, opening: Opening) -> BoxFuture<'_, Result<Opened, TransportError>> {
        Box::pin(async move {
            let outgoing = opening.into_outgoing().await?;
            self.send(outgoing).await.map(Opened::from)
        })
    }
}

impl<C: HttpClient + ?Sized> HttpClient for Arc<C> {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        (**self).send(outgoing)
    }

    fn open(&self, opening: Opening) -> BoxFuture<'_, Result<Opened, TransportError>> {
        (**self).open(opening)
    }
}

/// One request, and the limits its answer has to keep.
///
/// `Debug` prints method, origin, path and the body's length: no query, no header, no body.
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use rc_http::{Outgoing, Redirects};
///
/// let request = http::Request::get("https://platform.example.com/restapi/v1.0").body(Bytes::new())?;
/// let outgoing = Outgoing::new(request)
///     .deadline(Duration::from_secs(10))
///     .max_body(64 * 1024)
///     .redirects(Redirects::SameOrigin);
/// assert_eq!(outgoing.max_body, 65_536);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Outgoing {
    /// What to send: an absolute URI, headers, body. Credentials belong in headers; `Authorization` and
    /// cookies are marked sensitive on the way out, others are the caller's to mark.
    pub request: Request<Bytes>,
    /// Time for everything: connecting, sending, redirects, and the last byte of the body.
    pub deadline: Duration,
    /// The largest body accepted, in bytes.
    pub max_body: usize,
    /// What to do with a 3xx answer.
    pub redirects: Redirects,
}

impl Outgoing {
    /// 30 s: a token endpoint under load answers in seconds, and nobody watches a page for longer.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
    /// 1 MiB: token answers are about 2 KiB, and a page of 1000 API records stays below it.
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

    /// Replaces the time limit, [`Self::DEFAULT_DEADLINE`] by default.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Replaces the body limit in bytes, [`Self::DEFAULT_MAX_BODY`] by default.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Replaces the redirect rule, [`Redirects::Refuse`] by default.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.request.uri();
        f.debug_struct("Outgoing")
            .field("method", self.request.method())
            .field("host", &uri.host().unwrap_or_default())
            .field("path", &uri.path())
            .field("body_bytes", &self.request.body().len())
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .field("redirects", &self.redirects)
            .finish()
    }
}

/// What to do with a 3xx answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Redirects {
    /// Hand the 3xx to the caller. The rule for OAuth endpoints: a followed redirect would carry a code
    /// or a token to another place (RFC 9700 section 4.12).
    Refuse,
    /// Follow up to [`Redirects::MAX_HOPS`] redirects that stay on the same scheme, host and port; hand
    /// any other 3xx to the caller.
    ///
    /// 307 and 308 repeat method and body; 301 and 302 turn a POST, and 303 everything but HEAD, into a
    /// GET without body (RFC 9110 section 15.4).
    SameOrigin,
}

impl Redirects {
    /// How many redirects [`Redirects::SameOrigin`] follows; the next one is handed to the caller.
    pub const MAX_HOPS: usize = 5;
}

/// A whole answer.
///
/// `Debug` prints the status and the body's length: answers of a token endpoint are tokens.
#[derive(Clone)]
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
        Self {
            status,
            headers,
            body,
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_query_header_or_body() {
        let request =
            Request::post("https://platform.example.com/restapi/oauth/token?code=secret-1")
                .header("authorization", "Bearer secret-2")
                .body(Bytes::from_static(b"refresh_token=secret-3"))
                .unwrap();
        insta::assert_snapshot!(format!("{:#?}", Outgoing::new(request)), @r#"
        Outgoing {
            method: POST,
            host: "platform.example.com",
            path: "/restapi/oauth/token",
            body_bytes: 22,
            deadline: 30s,
            max_body: 1048576,
            redirects: Refuse,
        }
        "#);
        let answer = Incoming::new(
            StatusCode::OK,
            HeaderMap::from_iter([(http::header::SET_COOKIE, "secret-4".parse().unwrap())]),
            Bytes::from_static(b"secret-5"),
        );
        insta::assert_snapshot!(format!("{answer:?}"), @"Incoming { status: 200, body_bytes: 8, .. }");
    }
}
