//! Which requests a fault strikes, and how often.

use std::time::Duration;

use http::{Method, Request};

use super::{Fault, Target};
use crate::{seed::Seed, timestamp::Timestamp};

/// A fault and the requests it strikes: those that are like everything the rule names.
///
/// Without [`times`](Self::times) and [`lasting`](Self::lasting) it strikes once. Rules are asked in the order
/// they came; the first that strikes decides, and the others have not seen the request.
///
/// ```
/// use rc_sim::{Fault, FaultRule, Target};
///
/// // The answer of every second refresh of one app or so is lost, ten times in all.
/// let rule = FaultRule::new(Fault::DropAfter)
///     .target(Target::Token)
///     .grant_type("refresh_token")
///     .client_id("abc")
///     .probability(0.5)
///     .times(10);
/// # drop(rule);
/// ```
#[derive(Clone, Debug)]
pub struct FaultRule {
    pub(crate) fault: Fault,
    pub(crate) target: Option<Target>,
    pub(crate) grant_type: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) login: Option<String>,
    pub(crate) method: Option<Method>,
    pub(crate) path: Option<String>,
    pub(crate) nth: u64,
    pub(crate) probability: f64,
    pub(crate) times: Option<u32>,
    pub(crate) lasting: Option<Duration>,
}

impl FaultRule {
    /// A rule that strikes the next request to the token endpoint, the revocation endpoint or a resource.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            target: None,
            grant_type: None,
            client_id: None,
            login: None,
            method: None,
            path: None,
            nth: 1,
            probability: 1.0,
            times: None,
            lasting: None,
        }
    }

    /// Only requests of this kind.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Only token requests with this `grant_type`.
    #[must_use]
    pub fn grant_type(mut self, grant_type: impl Into<String>) -> Self {
        self.grant_type = Some(grant_type.into());
        self
    }

    /// Only requests of this app.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Only requests for this user: of a code or a token of theirs.
    #[must_use]
    pub fn login(mut self, login: impl Into<String>) -> Self {
        self.login = Some(login.into());
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only requests for this path, without a query. A `*` at its end stands for anything.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Leaves alone the first `nth - 1` requests that it would strike. Default: 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = nth;
        self
    }

    /// How likely it strikes, from 0.0 to 1.0. Which requests those are follows from the seed. Default: 1.0.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// How often it strikes at most. Default: once, or without end where it [lasts](Self::lasting).
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// For how long it strikes, by the platform's clock, from when it was added.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }
}

/// What a rule is held against.
pub(crate) struct Struck<'a, B> {
    pub(crate) target: Target,
    pub(crate) request: &'a Request<B>,
    pub(crate) grant_type: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) login: Option<&'a str>,
}

/// A rule that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: u64,
    pub(super) rule: FaultRule,
    pub(super) until: Option<Timestamp>,
    /// Requests that were like the rule.
    pub(super) seen: u64,
    pub(super) struck: u32,
}

impl Waiting {
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
            || self.rule.times.is_some_and(|times| self.struck >= times)
    }

    /// Whether it strikes this request; counts it.
    pub(super) fn strikes<B>(&mut self, struck: &Struck<'_, B>, seed: &Seed) -> bool {
        if !self.rule.is_like(struck) {
            return false;
        }
        self.seen += 1;
        let strikes = self.seen >= self.rule.nth && self.is_drawn(seed);
        self.struck += u32::from(strikes);
        strikes
    }

    fn is_drawn(&self, seed: &Seed) -> bool {
        if self.rule.probability >= 1.0 {
            return true;
        }
        let parts: [&[u8]; 2] = [&self.id.to_be_bytes(), &self.seen.to_be_bytes()];
        let [a, b, c, d, ..] = seed.bytes("fault", &parts);
        let drawn = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
        drawn < self.rule.probability
    }
}

impl FaultRule {
    fn is_like<B>(&self, struck: &Struck<'_, B>) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let login = self.login.as_deref();
        self.target.is_none_or(|target| target == struck.target)
            && same(&self.grant_type, struck.grant_type)
            && same(&self.client_id, struck.client_id)
            && login.is_none_or(|login| {
                struck
                    .login
                    .is_some_and(|is| is.eq_ignore_ascii_case(login))
            })
            && self
                .method
                .as_ref()
                .is_none_or(|method| method == struck.request.method())
            && self
                .path
                .as_deref()
                .is_none_or(|path| is_path(path, struck.request.uri().path()))
    }
}

/// `%7E` is another way to write the `~` that stands for one's own.
fn is_path(pattern: &str, path: &str) -> bool {
    let path = path.replace("%7E", "~").replace("%7e", "~");
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == pattern,
    }
}
