//! When a request of a rate-limit group may be sent.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    str::FromStr,
    time::Duration,
};

use http::{HeaderMap, StatusCode};

use crate::error_body::retry_after;

/// A per-process gate in front of every request of an app.
///
/// The platform blocks a group for a penalty once its limit is passed, and every request during the
/// penalty starts it anew: so nothing is sent in a group before its penalty is over. Groups are named by
/// the answers (`X-Rate-Limit-Group`); names may change and are not guessed.
#[derive(Debug)]
pub struct RateGate {
    budget: AuthBudget,
    /// Group name to the moment (monotonic) its penalty ends.
    closed_until: HashMap<String, Duration>,
    /// Which group a path was last seen in.
    groups: HashMap<String, String>,
    /// When the last token requests of the whole app were sent.
    sent: VecDeque<Duration>,
}

/// How many token requests may be sent in a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthBudget {
    /// The guide's figure, 5 in 60 s, for each grant; nothing for the app as a whole. The default.
    PerGrant,
    /// A figure for the app as a whole, as a newer announcement of the platform has it, and for each
    /// grant too.
    PerApp(Rate),
    /// No limit of our own. A 429 still closes the group.
    Off,
}

/// So many requests in a time, at least one in at least a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    requests: u32,
    window: Duration,
}

/// Text that is no budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a budget is a number of requests and a time in seconds, for example `5/60s`, or `off`")]
pub struct InvalidBudget;

impl Rate {
    /// The guide's figure for the Auth group: 5 requests in 60 s.
    pub const GUIDE: Self = Self {
        requests: 5,
        window: Duration::from_secs(60),
    };

    /// When one more request may be sent after those in `sent`, oldest first. Drops what is too old.
    pub(crate) fn next_slot(
        self,
        sent: &mut VecDeque<Duration>,
        now: Duration,
    ) -> Option<Duration> {
        while sent.front().is_some_and(|at| *at + self.window <= now) {
            sent.pop_front();
        }
        let full = sent.len() >= usize::try_from(self.requests).unwrap_or(usize::MAX);
        full.then(|| sent[sent.len() - self.requests as usize] + self.window)
    }
}

impl AuthBudget {
    /// The limit for one grant.
    #[must_use]
    pub const fn per_grant(self) -> Option<Rate> {
        match self {
            Self::PerGrant => Some(Rate::GUIDE),
            Self::PerApp(rate) => Some(rate),
            Self::Off => None,
        }
    }
}

impl FromStr for AuthBudget {
    type Err = InvalidBudget;

    fn from_str(text: &str) -> Result<Self, InvalidBudget> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let (requests, window) = text.split_once('/').ok_or(InvalidBudget)?;
        let window = window.strip_suffix('s').ok_or(InvalidBudget)?;
        let requests: u32 = requests.parse().map_err(|_| InvalidBudget)?;
        let seconds: u32 = window.parse().map_err(|_| InvalidBudget)?;
        if !(1..=100_000).contains(&requests) || !(1..=86_400).contains(&seconds) {
            return Err(InvalidBudget);
        }
        Ok(Self::PerApp(Rate {
            requests,
            window: Duration::from_secs(seconds.into()),
        }))
    }
}

impl fmt::Display for AuthBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerGrant => f.write_str("5/60s for each grant"),
            Self::PerApp(rate) => write!(f, "{}/{}s", rate.requests, rate.window.as_secs()),
            Self::Off => f.write_str("off"),
        }
    }
}

impl RateGate {
    /// The group of the OAuth endpoints.
    pub const AUTH: &'static str = "auth";
    /// The wait after a 429 without `Retry-After`: the guide's least, 30 s.
    pub const DEFAULT_PENALTY: Duration = Duration::from_secs(30);
    /// How many paths are remembered with their group.
    const MAX_PATHS: usize = 256;

    /// A gate that has seen nothing yet.
    #[must_use]
    pub fn new(budget: AuthBudget) -> Self {
        Self {
            budget,
            closed_until: HashMap::new(),
            groups: HashMap::new(),
            sent: VecDeque::new(),
        }
    }

    /// Asks to send one token request now, and counts it if it may be sent.
    ///
    /// # Errors
    ///
    /// The moment (monotonic) from which to ask again.
    pub fn take_token_request(&mut self, now: Duration) -> Result<(), Duration> {
        self.check(Self::AUTH, now)?;
        if let AuthBudget::PerApp(rate) = self.budget {
            if let Some(slot) = rate.next_slot(&mut self.sent, now) {
                return Err(slot);
            }
            self.sent.push_back(now);
        }
        Ok(())
    }

    /// Whether a request of `group` may be sent now.
    ///
    /// # Errors
    ///
    /// The moment (monotonic) the group's penalty ends.
    pub fn check(&self, group: &str, now: Duration) -> Result<(), Duration> {
        match self.closed_until.get(group) {
            Some(until) if *until > now => Err(*until),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a request to `path` may be sent now, as far as its group is known.
    ///
    /// # Errors
    ///
    /// The group, and the moment (monotonic) its penalty ends.
    pub fn check_path(&self, path: &str, now: Duration) -> Result<(), (String, Duration)> {
        let Some(group) = self.groups.get(path) else {
            return Ok(());
        };
        self.check(group, now)
            .map_err(|until| (group.clone(), until))
    }

    /// The group that a path was last seen in.
    #[must_use]
    pub fn group_of(&self, path: &str) -> Option<String> {
        self.groups.get(path).cloned()
    }

    /// Learns from an answer. `fallback` names the group when the answer does not. Returns the moment
    /// (monotonic) the group opens again if the answer is a 429.
    ///
    /// `X-Rate-Limit-Remaining` is not looked at: on a 429 the platform has sent the full limit in it.
    pub fn observe(
        &mut self,
        path: &str,
        fallback: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        now: Duration,
    ) -> Option<Duration> {
        let named = group_name(headers);
        let group = named.clone().or_else(|| fallback.map(str::to_owned));
        if let Some(group) = &named
            && self.groups.get(path) != Some(group)
            && (self.groups.len() < Self::MAX_PATHS || self.groups.contains_key(path))
        {
            self.groups.insert(path.to_owned(), group.clone());
        }
        if status != StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        let until = now + retry_after(headers).unwrap_or(Self::DEFAULT_PENALTY);
        if let Some(group) = group {
            self.closed_until.retain(|_, until| *until > now);
            self.closed_until.insert(group, until);
        }
        Some(until)
    }
}

/// Lower case, because the guide writes `Light` and the wire `light`.
fn group_name(headers: &HeaderMap) -> Option<String> {
    let name = headers
        .get("X-Rate-Limit-Group")?
        .to_str()
        .ok()?
        .trim()
        .to_ascii_lowercase();
    (1..=32).contains(&name.len()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn budget_text_round_trips_and_nonsense_is_refused() {
        for text in ["5/60s", "1/1s", "off"] {
            assert_eq!(text.parse::<AuthBudget>().unwrap().to_string(), text);
        }
        for text in [
            "", "5", "5/60", "0/60s", "5/0s", "-1/60s", "5/60m", "OFF", "5/60s ", "five/60s",
        ] {
            assert_eq!(text.parse::<AuthBudget>(), Err(InvalidBudget), "{text}");
        }
    }

    #[test]
    fn an_app_wide_budget_is_a_sliding_window() {
        let mut gate = RateGate::new("2/60s".parse().unwrap());
        assert_eq!(gate.take_token_request(S), Ok(()));
        assert_eq!(gate.take_token_request(10 * S), Ok(()));
        assert_eq!(gate.take_token_request(20 * S), Err(61 * S));
        assert_eq!(gate.take_token_request(61 * S), Ok(()));
        assert_eq!(gate.take_token_request(62 * S), Err(70 * S));
    }

    #[test]
    fn a_429_closes_its_group_only_and_for_as_long_as_it_says() {
        let mut gate = RateGate::new(AuthBudget::Off);
        let answer = headers(&[
            ("x-rate-limit-group", "Heavy"),
            ("retry-after", "7"),
            ("x-rate-limit-remaining", "10"),
        ]);
        gate.observe("/a", None, StatusCode::TOO_MANY_REQUESTS, &answer, S);
        assert_eq!(
            gate.check_path("/a", 2 * S),
            Err(("heavy".to_owned(), 8 * S))
        );
        assert_eq!(gate.check_path("/b", 2 * S), Ok(()));
        assert_eq!(gate.take_token_request(2 * S), Ok(()));
        assert_eq!(gate.check_path("/a", 8 * S), Ok(()));
    }

    #[test]
    fn a_429_without_retry_after_closes_for_thirty_seconds() {
        let mut gate = RateGate::new(AuthBudget::Off);
        gate.observe(
            "/t",
            Some(RateGate::AUTH),
            StatusCode::TOO_MANY_REQUESTS,
            &HeaderMap::new(),
            S,
        );
        assert_eq!(gate.take_token_request(30 * S), Err(31 * S));
        assert_eq!(gate.take_token_request(31 * S), Ok(()));
    }

    #[test]
    fn the_number_of_remembered_paths_is_bounded() {
        let mut gate = RateGate::new(AuthBudget::Off);
        let answer = headers(&[("x-rate-limit-group", "light")]);
        for path in 0..10_000 {
            gate.observe(&path.to_string(), None, StatusCode::OK, &answer, S);
        }
        assert_eq!(gate.groups.len(), RateGate::MAX_PATHS);
    }
}
