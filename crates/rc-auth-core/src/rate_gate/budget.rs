//! How many token requests may be sent in a time.

use std::{collections::VecDeque, fmt, str::FromStr, time::Duration};

/// How many token requests may be sent in a time.
///
/// ```
/// use rc_auth_core::AuthBudget;
///
/// let third: AuthBudget = "2/60s".parse()?;
/// assert_eq!(third.to_string(), "2/60s");
/// assert_eq!("off".parse(), Ok(AuthBudget::Off));
/// # Ok::<(), rc_auth_core::InvalidBudget>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthBudget {
    /// The guide's figure, 5 in 60 s, for each grant; nothing for the app as a whole. The default.
    PerGrant,
    /// A figure for the app as a whole, as a newer announcement of the platform has it, and for each
    /// grant too. [`AuthLane`](super::AuthLane) says how it is shared out.
    PerApp(Rate),
    /// No limit of our own. A 429 still closes the lane.
    Off,
}

/// So many requests in a time, at least one in at least a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    requests: u32,
    window: Duration,
}

/// Text that is no budget.
#[derive(Clone, Copy, Eq, PartialEq, thiserror::Error)]
#[error("a budget is a number of requests and a time in seconds, for example `5/60s`, or `off`")]
pub struct InvalidBudget;

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for InvalidBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Rate {
    /// The guide's figure for the Auth group: 5 requests in 60 s.
    pub const GUIDE: Self = Self {
        requests: 5,
        window: Duration::from_secs(60),
    };

    /// How far apart requests are that never meet the limit.
    pub(crate) fn spacing(self) -> Duration {
        self.window / self.requests.max(1)
    }

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

    /// What sign-ins and revocations may use together: all but a third, rounded up. Where that leaves
    /// nothing, one request in twice the time.
    pub(super) const fn without_refreshes(self) -> Self {
        self.share(self.requests - self.requests.div_ceil(3), 2)
    }

    /// What revocations may use: a third, rounded down. Where that is nothing, one request in twice the
    /// time of the share they have together with sign-ins.
    pub(super) const fn of_revocations(self) -> Self {
        self.share(self.requests / 3, if self.requests == 1 { 4 } else { 2 })
    }

    const fn share(self, requests: u32, windows: u32) -> Self {
        if requests == 0 {
            return Self {
                requests: 1,
                window: self.window.saturating_mul(windows),
            };
        }
        Self { requests, ..self }
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_shares_of_a_budget_nest() {
        // (whole, without refreshes, of revocations), each as requests and windows
        for (requests, low, lowest) in [
            (1, (1, 2), (1, 4)),
            (2, (1, 1), (1, 2)),
            (3, (2, 1), (1, 1)),
            (4, (2, 1), (1, 1)),
            (5, (3, 1), (1, 1)),
            (6, (4, 1), (2, 1)),
            (200, (133, 1), (66, 1)),
        ] {
            let window = Duration::from_secs(60);
            let rate = Rate { requests, window };
            let expected = |(requests, windows)| Rate {
                requests,
                window: window * windows,
            };
            assert_eq!(rate.without_refreshes(), expected(low), "{requests}");
            assert_eq!(rate.of_revocations(), expected(lowest), "{requests}");
        }
    }
}
