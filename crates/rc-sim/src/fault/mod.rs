//! Faults on demand: what goes wrong with the next answers.

mod preset;
mod rule;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::DATE};

pub(crate) use self::rule::Struck;
use self::rule::Waiting;
pub use self::{preset::Preset, rule::FaultRule};
use crate::{reply, seed::Seed, timestamp::Timestamp};

/// Which requests a fault waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// `POST /restapi/oauth/token`.
    Token,
    /// `POST /restapi/oauth/revoke`.
    Revoke,
    /// Every other call below `/restapi`.
    Api,
    /// The authorization endpoint.
    Authorize,
    /// Documents that anybody may read: discovery and key sets.
    Discovery,
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

    /// The answer as it leaves when the platform's clock tells `told`, unless it brings a `Date` of its own.
    pub(crate) fn into_response(self, told: Timestamp) -> Response<Bytes> {
        let dated = self.headers.contains_key(DATE);
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if !dated {
            reply::header(&mut response, "date", &told.http_date());
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

impl Fault {
    /// Its kind, as the control API names it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::DropBefore => "drop-before",
            Self::DropAfter => "drop-after",
            Self::Delay(_) => "delay",
            Self::Truncate(_) => "truncate",
            Self::Replace(_) => "replace",
        }
    }
}

/// The most rules that wait at once; further ones are refused.
const MOST: usize = 10_000;

/// The faults that wait, oldest first.
#[derive(Default)]
pub(crate) struct Faults {
    waiting: Vec<Waiting>,
    added: u64,
}

/// A fault that waits, as the control API shows it.
pub(crate) struct Shown<'a> {
    pub(crate) id: u64,
    pub(crate) rule: &'a FaultRule,
    pub(crate) seen: u64,
    pub(crate) struck: u32,
}

impl Faults {
    /// Adds a rule and returns its number; `None` when too many wait already.
    pub(crate) fn add(&mut self, mut rule: FaultRule, now: Timestamp) -> Option<u64> {
        self.waiting.retain(|waiting| !waiting.is_over(now));
        if self.waiting.len() >= MOST {
            return None;
        }
        if rule.lasting.is_none() {
            rule.times.get_or_insert(1);
        }
        self.added += 1;
        self.waiting.push(Waiting {
            id: self.added,
            until: rule.lasting.map(|time| now.plus(time)),
            rule,
            seen: 0,
            struck: 0,
        });
        Some(self.added)
    }

    /// Whether a rule has to know whose request it is.
    pub(crate) fn ask_for_login(&self) -> bool {
        self.waiting
            .iter()
            .any(|waiting| waiting.rule.login.is_some())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The fault that strikes, if any.
    pub(crate) fn strike<B>(
        &mut self,
        struck: &Struck<'_, B>,
        seed: &Seed,
        now: Timestamp,
    ) -> Option<Fault> {
        self.waiting.retain(|waiting| !waiting.is_over(now));
        let at = self
            .waiting
            .iter_mut()
            .position(|waiting| waiting.strikes(struck, seed))?;
        let fault = self.waiting[at].rule.fault.clone();
        if self.waiting[at].is_over(now) {
            self.waiting.remove(at);
        }
        Some(fault)
    }

    /// Forgets one rule; returns whether it was there.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.id != id);
        self.waiting.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        self.waiting.iter().map(|waiting| Shown {
            id: waiting.id,
            rule: &waiting.rule,
            seen: waiting.seen,
            struck: waiting.struck,
        })
    }
}
