//! What a record says of its grant besides the tokens.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Timestamp;

/// When a grant was made and used, whose it is, and what newer versions of this crate have added.
///
/// Every member may be missing: records of older versions have none of them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct About {
    /// When the user signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
    /// When somebody last used the grant, as far as it was written down: see
    /// [`RefreshPolicy::max_idle`](super::RefreshPolicy::max_idle).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Who signed in, if the application has found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// When refreshes began because the API had refused an access token that should still have been
    /// good; those of the last hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced_refreshes: Vec<Timestamp>,
    /// Where a chain stood that another sign-in replaces: the name of that record. Written before it is
    /// replaced, so that whoever goes on after a crash can see whether it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_under: Option<String>,
    /// Until when a write that began this sign-in, and was not heard of, may still be carried out: a tombstone that was
    /// deleted before could be followed by the grant once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt_until: Option<Timestamp>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub unknown: UnknownMembers,
}

/// Who signed in. Names of people: `Debug` leaves them out.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Person {
    /// The extension's name.
    pub name: Option<String>,
    /// The extension's number, as people dial it.
    pub extension_number: Option<String>,
    /// The extension's id.
    pub owner_id: Option<String>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// Members of a stored object that this version does not know. They are written back as they were, so
/// that an older program that runs beside a newer one loses nothing. `Debug` leaves them out.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct UnknownMembers(Map<String, Value>);

impl fmt::Debug for UnknownMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unknown members", self.0.len())
    }
}

/// How many forced refreshes may begin in a minute: a token may be refused once by mistake, once by a
/// restart of the platform, and once more.
const FORCED_PER_MINUTE: usize = 3;
/// How many may begin in an hour.
const FORCED_PER_HOUR: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl About {
    /// Of a sign-in that is made now, which counts as its first use.
    #[must_use]
    pub fn made_at(now: Timestamp) -> Self {
        Self {
            made_at: Some(now),
            last_used_at: Some(now),
            ..Self::default()
        }
    }

    /// How long a refresh that a refused access token asks for has to wait; zero if it may begin.
    ///
    /// An API that refuses every token must not cost a token request for every call, however many
    /// processes call it: at most 3 in a minute and 20 in an hour.
    #[must_use]
    pub fn forced_refresh_wait(&self, now: Timestamp) -> Duration {
        let slot = |limit: usize, window: Duration| {
            let nth_last = self.forced_refreshes.len().checked_sub(limit)?;
            let free_at = self.forced_refreshes[nth_last].saturating_add(window);
            // A clock that was set back must not close the way for longer than the window.
            Some(free_at.saturating_since(now).min(window))
        };
        let minute = slot(FORCED_PER_MINUTE, MINUTE).unwrap_or_default();
        minute.max(slot(FORCED_PER_HOUR, HOUR).unwrap_or_default())
    }

    /// Writes down that a forced refresh begins now, and forgets what is older than an hour.
    pub(crate) fn note_forced_refresh(&mut self, now: Timestamp) {
        let recent = |at: &Timestamp| at.saturating_add(HOUR) > now && *at <= now;
        self.forced_refreshes.retain(recent);
        self.forced_refreshes.push(now);
    }

    /// Writes down that the grant is used now. A clock that is behind takes back no use that was noted before.
    pub(crate) fn note_use(&mut self, now: Timestamp) {
        self.last_used_at = self.last_used_at.max(Some(now));
    }

    /// Whether a use now should be written down, where grants end after `max_idle` without one: when the
    /// last that was is older than an eighth of that.
    #[must_use]
    pub fn use_is_worth_noting(&self, max_idle: Option<Duration>, now: Timestamp) -> bool {
        self.note_use_at(max_idle).is_some_and(|at| now >= at)
    }

    /// From when on the next use should be written down; `None`: never, because grants do not end by
    /// lack of use.
    #[must_use]
    pub fn note_use_at(&self, max_idle: Option<Duration>) -> Option<Timestamp> {
        let max_idle = max_idle?;
        Some(match self.last_used_at {
            Some(at) => at.saturating_add(max_idle / 8),
            None => Timestamp::from_unix_millis(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

    fn refuse_all(about: &mut About, time: Duration) -> usize {
        let mut begun = 0;
        for second in 0..time.as_secs() {
            let now = NOW.saturating_add(Duration::from_secs(second));
            if about.forced_refresh_wait(now).is_zero() {
                about.note_forced_refresh(now);
                begun += 1;
            }
        }
        begun
    }

    #[test]
    fn refused_tokens_cost_three_refreshes_in_a_minute_and_twenty_in_an_hour() {
        assert_eq!(refuse_all(&mut About::default(), MINUTE), 3);
        assert_eq!(refuse_all(&mut About::default(), HOUR), 20);
    }

    #[test]
    fn a_clock_set_back_closes_the_way_for_an_hour_at_most() {
        let mut about = About::default();
        refuse_all(&mut about, HOUR);
        let yesterday = NOW.saturating_sub(HOUR * 24);
        assert!(about.forced_refresh_wait(yesterday) <= HOUR);
        about.note_forced_refresh(yesterday);
        assert_eq!(about.forced_refreshes, [yesterday]);
    }

    #[test]
    fn unknown_members_come_back_as_they_were_and_are_not_printed() {
        let text = r#"{"made_at":5,"next":{"secret":"s3cret"}}"#;
        let about: About = serde_json::from_str(text).unwrap();
        assert!(!format!("{about:?}").contains("s3cret"));
        assert_eq!(serde_json::to_string(&about).unwrap(), text);
    }
}
