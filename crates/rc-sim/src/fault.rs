//! Faults on demand: what goes wrong with the next answers.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::DATE};

use crate::{reply, timestamp::Timestamp};

/// Which requests a fault waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// `POST /restapi/oauth/token`.
    Token,
    /// `POST /restapi/oauth/revoke`.
    Revoke,
    /// Every other call below `/restapi`, except the authorization endpoint.
    Api,
}

/// What goes wrong with one answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The connection breaks before the platform carries the request out.
    DropBefore,
    /// The platform carries the request out, and its answer is lost.
    DropAfter,
    /// The platform carries the request out at once and answers late.
    Delay(Duration),
    /// The head says how long the body is, and the connection breaks after this many bytes of it.
    Truncate(usize),
    /// Another answer comes, such as a gateway's.
    Replace(Replacement),
}

/// An answer in place of the platform's own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Replacement {
    /// The status.
    pub status: StatusCode,
    /// The headers, such as `Retry-After`. Without a `Date` among them the answer has the platform's.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether the platform carries the request out all the same. Default: no.
    pub carried_out: bool,
}

impl Replacement {
    /// An answer with this status and body, in place of carrying the request out.
    #[must_use]
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            carried_out: false,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Lets the platform carry the request out before this answer takes the place of its own.
    #[must_use]
    pub fn carried_out(mut self) -> Self {
        self.carried_out = true;
        self
    }

    /// The answer as it leaves at `now`. Its `Date` is the platform's, unless it brings one.
    pub(crate) fn into_response(self, now: Timestamp) -> Response<Bytes> {
        let dated = self.headers.contains_key(DATE);
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if !dated {
            reply::header(&mut response, "date", &now.http_date());
        }
        response
    }
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Delivery {
    /// As it is.
    Whole,
    /// Not at all, and the request was not carried out.
    DropBefore,
    /// Not at all, although the request was carried out.
    DropAfter,
    /// The head, and this many bytes of the body.
    Truncate(usize),
}

/// An answer and how it travels.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// What the platform says. A placeholder with status 503 for [`Delivery::DropBefore`].
    pub response: Response<Bytes>,
    /// How much later than usual it arrives; zero without a fault.
    pub delay: Duration,
    /// How it arrives.
    pub delivery: Delivery,
}

impl Answer {
    pub(crate) fn whole(response: Response<Bytes>) -> Self {
        Self {
            response,
            delay: Duration::ZERO,
            delivery: Delivery::Whole,
        }
    }
}

/// The faults that wait, oldest first.
#[derive(Default)]
pub(crate) struct Faults {
    token: VecDeque<(Fault, u32)>,
    revoke: VecDeque<(Fault, u32)>,
    api: VecDeque<(Fault, u32)>,
}

impl Faults {
    pub(crate) fn queue(&mut self, target: Target, fault: Fault, times: u32) {
        if times > 0 {
            self.waiting(target).push_back((fault, times));
        }
    }

    pub(crate) fn next(&mut self, target: Target) -> Option<Fault> {
        let waiting = self.waiting(target);
        let (fault, times) = waiting.front_mut()?;
        *times -= 1;
        if *times > 0 {
            return Some(fault.clone());
        }
        waiting.pop_front().map(|(fault, _)| fault)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn waiting(&mut self, target: Target) -> &mut VecDeque<(Fault, u32)> {
        match target {
            Target::Token => &mut self.token,
            Target::Revoke => &mut self.revoke,
            Target::Api => &mut self.api,
        }
    }
}
