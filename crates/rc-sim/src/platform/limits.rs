//! Request rates: sliding windows per group, and the penalty that every further request restarts.

use std::collections::{HashMap, VecDeque};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    config::{ClientId, UserId},
    switches::{Limits, RemainingOn429},
    timestamp::Timestamp,
};

/// A throttle group of the API reference.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Group {
    Light,
    Medium,
    Heavy,
    Auth,
}

impl Group {
    /// Lower case on the wire, as observed.
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Medium => "medium",
            Self::Heavy => "heavy",
            Self::Auth => "auth",
        }
    }

    fn limit(self, limits: &Limits) -> u32 {
        match self {
            Self::Light => limits.light,
            Self::Medium => limits.medium,
            Self::Heavy => limits.heavy,
            Self::Auth => limits.auth,
        }
    }
}

/// Whom a window is for. Platform §7: per user, app and group; the Auth group per app or per user and app, by
/// switch.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct LimitKey {
    pub(crate) app: ClientId,
    pub(crate) user: Option<UserId>,
    pub(crate) group: Group,
}

/// The limiter's word on one request.
pub(crate) enum Passage {
    Free,
    Accepted(Quota),
    Refused(Quota, RetryAfter),
}

/// Seconds.
pub(crate) struct RetryAfter(u64);

/// What the `X-Rate-Limit-*` headers say.
pub(crate) struct Quota {
    group: Group,
    limit: u32,
    remaining: u32,
    window: u64,
}

#[derive(Default)]
struct Window {
    accepted: VecDeque<Timestamp>,
    closed_until: Option<Timestamp>,
}

#[derive(Default)]
pub(crate) struct Limiter {
    windows: HashMap<LimitKey, Window>,
}

impl Limiter {
    pub(crate) fn pass(&mut self, key: LimitKey, limits: &Limits, now: Timestamp) -> Passage {
        if !limits.enabled {
            return Passage::Free;
        }
        let group = key.group;
        let limit = group.limit(limits);
        let window = self.windows.entry(key).or_default();
        let accepted = window.accept(limit, limits, now);
        let used = u32::try_from(window.accepted.len()).unwrap_or(u32::MAX);
        let remaining = match (accepted, limits.remaining_on_429) {
            (true, _) => limit.saturating_sub(used),
            // Platform §7: on a 429 the header can equal the full limit; only Retry-After is to be trusted.
            (false, RemainingOn429::FullLimit) => limit,
            (false, RemainingOn429::Zero) => 0,
        };
        let quota = Quota {
            group,
            limit,
            remaining,
            window: limits.window.as_secs(),
        };
        if accepted {
            Passage::Accepted(quota)
        } else {
            Passage::Refused(quota, RetryAfter(limits.penalty.as_secs()))
        }
    }
}

impl Window {
    fn accept(&mut self, limit: u32, limits: &Limits, now: Timestamp) -> bool {
        while self
            .accepted
            .front()
            .is_some_and(|at| now.since(*at) >= limits.window)
        {
            self.accepted.pop_front();
        }
        let closed = self.closed_until.is_some_and(|until| now < until);
        if closed || self.accepted.len() >= limit as usize {
            // Platform §7: each request during the penalty restarts the penalty.
            self.closed_until = Some(now.plus(limits.penalty));
            return false;
        }
        self.closed_until = None;
        self.accepted.push_back(now);
        true
    }
}

impl Quota {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(
            HeaderName::from_static("x-rate-limit-group"),
            HeaderValue::from_static(self.group.name()),
        );
        for (name, value) in [
            ("x-rate-limit-limit", u64::from(self.limit)),
            ("x-rate-limit-remaining", u64::from(self.remaining)),
            ("x-rate-limit-window", self.window),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
}

impl RetryAfter {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from(self.0));
    }
}
