//! When a grant is refreshed, how long each step may take, and what the server does with spent tokens.

use std::{fmt, time::Duration};

use super::{About, Pause};
use crate::{AuthBudget, Timestamp, TokenPair};

/// What the server does with a refresh token that was already exchanged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RefreshReplay {
    /// It answers with the same new pair again: for `unused` while the new access token has not been
    /// used, and for `used` after its first use. RingCentral's documented rule, and the default.
    SamePair {
        /// 60 minutes at RingCentral.
        unused: Duration,
        /// 10 seconds at RingCentral.
        used: Duration,
    },
    /// It refuses, and may take the re-use for theft and end the whole grant. A token whose answer never
    /// came is presented exactly once more.
    None,
}

impl RefreshReplay {
    /// RingCentral's rule: 60 minutes unused, 10 seconds after first use.
    pub const RINGCENTRAL: Self = Self::SamePair {
        unused: Duration::from_secs(60 * 60),
        used: Duration::from_secs(10),
    };
}

/// The numbers of the life of a grant.
///
/// ```
/// use std::time::Duration;
///
/// use rc_auth_core::RefreshPolicy;
///
/// let mut policy = RefreshPolicy::default();
/// policy.max_idle = Some(Duration::from_secs(30 * 24 * 60 * 60));
/// policy.check()?;
///
/// policy.max_idle = Some(Duration::from_secs(60));
/// assert!(policy.check().is_err(), "shorter than two access tokens");
/// # Ok::<(), rc_auth_core::InvalidPolicy>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// How long before its end an access token is refreshed in the background, at most. 5 minutes:
    /// several tries and a 429 fit in, and few calls ever wait. Never more than a tenth of the token's
    /// life, so that short-lived tokens are not refreshed all the time.
    pub early_window: Duration,
    /// How long before its end an access token is no longer used. 30 s, for clocks that differ and
    /// requests that take long. Never more than a twentieth of the token's life.
    pub mandatory_window: Duration,
    /// How long a token request may take as a whole. 30 s: a refresh that is given up while the server
    /// still works on it costs a second one.
    pub request_timeout: Duration,
    /// What is left for writing the new pair after the latest answer. 15 s: three times the busy
    /// timeout of the embedded database.
    pub commit_margin: Duration,
    /// How often the owner of an intent writes it again while its request is out, where the server repeats
    /// its answers. 3 s: three signs of life fit into `owner_silence`, and a refresh that takes its usual
    /// second costs none.
    pub renew_every: Duration,
    /// After how long without a sign of life the owner of an intent counts as gone, where the server
    /// repeats its answers. 10 s: users of a process that died wait no longer than that, and an owner that
    /// was only slow loses nothing, because it gets the same pair. Nobody sends later than half of it
    /// after writing the intent.
    pub owner_silence: Duration,
    /// How old an intent gets before another process takes it over, where the server repeats no answer
    /// ([`RefreshReplay::None`]): its owner must have had all the time there is. 60 s: `request_timeout`
    /// and `commit_margin` fit in with 15 s to spare for writing the intent.
    pub intent_deadline: Duration,
    /// The first delay after an answer that did not come; doubled each time. 500 ms: a lost answer costs
    /// little, and on RingCentral the same request simply gives the same pair again.
    pub retry_first: Duration,
    /// The first delay after an answer of a server in trouble; doubled each time. The guide's 2 s.
    pub trouble_first: Duration,
    /// The longest delay between two tries. The guide's 60 s.
    pub retry_max: Duration,
    /// The longest delay between two tries while somebody asks for a token and none is alive, if the server has not
    /// said when to come again. 1.5 s: whoever waits is served within 2 s after the server is well again. Never
    /// shorter than what the [budget](Self::budget) allows in the long run, which is 12 s by default.
    pub retry_asked: Duration,
    /// How often the record of somebody else's refresh is read, at first; doubled up to
    /// [`poll_max`](Self::poll_max). 25 ms.
    pub poll_first: Duration,
    /// How often it is read at the least. 500 ms.
    pub poll_max: Duration,
    /// How long before its own end an idle refresh token is exchanged, at most half its life. 24 h: a
    /// weekend's trouble with the sweeper should not cost a sign-in of RingCentral's 7 days.
    pub keep_alive: Duration,
    /// When a refresh token of unknown life is exchanged if nobody uses it. 3 days.
    pub keep_alive_unknown: Duration,
    /// How long the record of a grant that is over is kept, so that every process learns why. 7 days.
    pub keep_ended: Duration,
    /// How long a grant may go unused before it is ended and revoked; at least twice the life of an access
    /// token. `None`, the default: a grant lives as long as the platform lets it.
    pub max_idle: Option<Duration>,
    /// How old a grant may get before it is ended and revoked, however much it is used. `None`, the
    /// default: as old as the platform lets it.
    pub max_age: Option<Duration>,
    /// How soon the record of a grant that is over is read again when somebody asks for it. 1 s.
    pub look_again: Duration,
    /// What the server does with a spent refresh token.
    pub replay: RefreshReplay,
    /// How many token requests one grant may make in a time.
    pub budget: AuthBudget,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            early_window: Duration::from_secs(5 * 60),
            mandatory_window: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            commit_margin: Duration::from_secs(15),
            renew_every: Duration::from_secs(3),
            owner_silence: Duration::from_secs(10),
            intent_deadline: Duration::from_secs(60),
            retry_first: Duration::from_millis(500),
            trouble_first: Duration::from_secs(2),
            retry_max: Duration::from_secs(60),
            retry_asked: Duration::from_millis(1500),
            poll_first: Duration::from_millis(25),
            poll_max: Duration::from_millis(500),
            keep_alive: Duration::from_secs(24 * 3600),
            keep_alive_unknown: Duration::from_secs(3 * 24 * 3600),
            keep_ended: Duration::from_secs(7 * 24 * 3600),
            max_idle: None,
            max_age: None,
            look_again: Duration::from_secs(1),
            replay: RefreshReplay::RINGCENTRAL,
            budget: AuthBudget::PerGrant,
        }
    }
}

/// A policy whose numbers contradict each other.
#[derive(Clone, Copy, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// An answer that comes at the last moment could not be saved before others take over.
    #[error("request_timeout and commit_margin together must be shorter than intent_deadline")]
    DeadlineTooShort,
    /// An intent would be found later than the platform's grace allows for.
    #[error("intent_deadline must not be longer than two minutes")]
    DeadlineTooLong,
    /// An owner at work would be taken for gone.
    #[error("renew_every must not be zero, and three of it must fit into owner_silence")]
    Renewal,
    /// An intent of a process that died would be found later than the platform's grace allows for.
    #[error("owner_silence must not be longer than two minutes")]
    SilenceTooLong,
    /// Grants in daily use would be ended between two refreshes.
    #[error("max_idle and max_age must be at least two hours: twice the life of an access token")]
    EndsTooSoon,
    /// A loop without a pause.
    #[error("retry and poll delays must not be zero, and no first delay longer than its longest")]
    Delay,
}

/// The sentence of `Display`, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl RefreshPolicy {
    /// The longest [`intent_deadline`](Self::intent_deadline): 2 minutes.
    pub const MAX_INTENT_DEADLINE: Duration = Duration::from_secs(120);

    /// The shortest [`max_idle`](Self::max_idle) and [`max_age`](Self::max_age): twice the hour that
    /// RingCentral's access tokens live.
    pub const MIN_LIFE: Duration = Duration::from_secs(2 * 3600);
    /// When a standing intent is due: before every clock, so that it is listed first and found whatever
    /// the clocks say.
    pub const INTENT_DUE: Timestamp = Timestamp::from_unix_millis(0);

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] names the rule that is broken.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        if self.request_timeout.saturating_add(self.commit_margin) >= self.intent_deadline {
            return Err(InvalidPolicy::DeadlineTooShort);
        }
        if self.intent_deadline > Self::MAX_INTENT_DEADLINE {
            return Err(InvalidPolicy::DeadlineTooLong);
        }
        if self.renew_every.is_zero() || self.renew_every * 3 > self.owner_silence {
            return Err(InvalidPolicy::Renewal);
        }
        if self.owner_silence > Self::MAX_INTENT_DEADLINE {
            return Err(InvalidPolicy::SilenceTooLong);
        }
        let too_soon = |limit: Option<Duration>| limit.is_some_and(|limit| limit < Self::MIN_LIFE);
        if too_soon(self.max_idle) || too_soon(self.max_age) {
            return Err(InvalidPolicy::EndsTooSoon);
        }
        let delays = [
            (self.retry_first, self.retry_max),
            (self.trouble_first, self.retry_max),
            (self.retry_asked, Duration::MAX),
            (self.poll_first, self.poll_max),
        ];
        if delays
            .iter()
            .any(|(first, max)| first.is_zero() || first > max)
        {
            return Err(InvalidPolicy::Delay);
        }
        Ok(())
    }

    /// From when the pair's access token is refreshed in the background. `jitter` (0 to 255) moves the
    /// moment by up to a fifth of the window, so that grants of one hour do not meet again every hour.
    #[must_use]
    pub fn early_at(&self, pair: &TokenPair, jitter: u8) -> Timestamp {
        let window = self.early_window.min(pair.access_lifetime() / 10);
        pair.access_expires_at()
            .saturating_sub(window - window / 5 * u32::from(jitter) / 255)
    }

    /// From when the pair's access token is no longer used.
    #[must_use]
    pub fn mandatory_at(&self, pair: &TokenPair) -> Timestamp {
        let window = self.mandatory_window.min(pair.access_lifetime() / 20);
        pair.access_expires_at().saturating_sub(window)
    }

    /// When a sweeper should look at an idle pair: before the refresh token's own end, or once nothing
    /// is left that could be kept alive.
    #[must_use]
    pub fn keep_alive_at(&self, pair: &TokenPair) -> Timestamp {
        let issued = pair
            .access_expires_at()
            .saturating_sub(pair.access_lifetime());
        if pair.refresh_token().is_none() {
            return pair.access_expires_at().saturating_add(self.keep_ended);
        }
        match pair.refresh_expires_at() {
            Some(end) => end.saturating_sub(self.keep_alive.min(end.saturating_since(issued) / 2)),
            None => issued.saturating_add(self.keep_alive_unknown),
        }
    }

    /// When a sweeper should look at an idle grant: to keep it alive, or to end it because nobody uses it
    /// or it is too old.
    #[must_use]
    pub fn due_at(&self, pair: &TokenPair, about: &About) -> Timestamp {
        let end = self.ends_at(about).map(|(at, _)| at);
        let keep_alive = self.keep_alive_at(pair);
        end.map_or(keep_alive, |end| end.min(keep_alive))
    }

    /// When a grant is to be ended by [`max_idle`](Self::max_idle) or [`max_age`](Self::max_age), and
    /// which of them it is; `None` for never. Where the record does not say when it was made or used,
    /// the rule does not apply.
    #[must_use]
    pub fn ends_at(&self, about: &About) -> Option<(Timestamp, super::EndReason)> {
        let at =
            |from: Option<Timestamp>, limit: Option<Duration>| Some(from?.saturating_add(limit?));
        let idle = at(about.last_used_at.or(about.made_at), self.max_idle);
        let old = at(about.made_at, self.max_age);
        let idle = idle.map(|at| (at, super::EndReason::Idle));
        let old = old.map(|at| (at, super::EndReason::TooOld));
        match (idle, old) {
            (Some(idle), Some(old)) => Some(if old.0 <= idle.0 { old } else { idle }),
            (one, other) => one.or(other),
        }
    }

    /// How long an intent may stand without a sign of life before its owner counts as gone.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        match self.replay {
            RefreshReplay::SamePair { .. } => self.owner_silence,
            RefreshReplay::None => self.intent_deadline,
        }
    }

    /// How much longer the owner of `intent` is waited for, once this very version of the record was seen
    /// for `silent_for`; zero when it is gone. A pause that its owner wrote down is added, up to the last
    /// chance: silence counts from the end of the pause. [`Duration::MAX`] of silence: it is known to be
    /// gone.
    #[must_use]
    pub fn owner_gone_in(
        &self,
        intent: &super::Intent,
        silent_for: Duration,
        wall: Timestamp,
    ) -> Duration {
        if silent_for == Duration::MAX {
            return Duration::ZERO;
        }
        let pause = intent.pause.map(Pause::length).unwrap_or_default();
        let silence = silent_for.saturating_sub(pause);
        let left = pause.saturating_sub(silent_for);
        let chance = intent
            .first_presented_at
            .and_then(|at| self.last_chance_at(at))
            .map(|at| at.saturating_since(wall));
        let left = chance.map_or(left, |chance| left.min(chance));
        left + self.patience().saturating_sub(silence)
    }

    /// How long after its first presentation a token whose answer was lost is presented again at the
    /// latest: four fifths of the time for which the server repeats the answer. `None` where it repeats
    /// none.
    #[must_use]
    pub fn last_chance_after(&self) -> Option<Duration> {
        match self.replay {
            RefreshReplay::SamePair { unused, .. } => Some(unused * 4 / 5),
            RefreshReplay::None => None,
        }
    }

    /// When a token whose answer was lost is presented again at the latest: after four fifths of the
    /// time for which the server repeats the answer. `None` where it repeats none.
    #[must_use]
    pub fn last_chance_at(&self, first_presented_at: Timestamp) -> Option<Timestamp> {
        let after = self.last_chance_after()?;
        Some(first_presented_at.saturating_add(after))
    }

    /// How long after the beginning of its write an intent may still be followed by the request. Where
    /// answers are repeated, half the silence after which others take over; elsewhere, so soon that the
    /// answer is sure to be saved before the deadline.
    pub(crate) fn send_within(&self) -> Duration {
        match self.replay {
            RefreshReplay::SamePair { .. } => self.owner_silence / 2,
            RefreshReplay::None => self
                .intent_deadline
                .saturating_sub(self.request_timeout + self.commit_margin),
        }
    }
}
