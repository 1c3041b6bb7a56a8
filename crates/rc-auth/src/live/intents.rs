//! Intents of other processes, and since when each was seen without a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rc_auth_core::{AttemptId, Intent, Now, RefreshPolicy};
use rc_store::{RecordKey, Version};

/// What a look at an intent says of its owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// Not seen before, or changed since.
    Unknown,
    /// Shows signs of life, or has been silent for too short a time.
    AtWork,
    /// Has been silent for too long.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Sight {
    version: Version,
    since: Duration,
    gone_at: Duration,
}

/// First sight of every intent, apart from the cache of grants: an intent that nobody asks about must be
/// found to be abandoned all the same.
#[derive(Debug, Default)]
pub(crate) struct Intents {
    seen: BTreeMap<RecordKey, Sight>,
    /// Attempts of processes that are known to exist no longer.
    abandoned: BTreeSet<[u8; 16]>,
}

/// How many intents are watched at once. Beyond that a new one waits until others are done with.
const MOST: usize = 50_000;

impl Intents {
    /// Notes that `intent` stands under `key` in this version, and says for how long it was seen to do so:
    /// [`Duration::MAX`] if its owner is known to exist no longer.
    pub(crate) fn note(
        &mut self,
        key: RecordKey,
        version: Version,
        intent: &Intent,
        policy: &RefreshPolicy,
        now: Now,
    ) -> Duration {
        if self.abandoned.contains(intent.attempt.as_bytes()) {
            return Duration::MAX;
        }
        if let Some(sight) = self.seen.get(&key).filter(|sight| sight.version == version) {
            return now.mono.saturating_sub(sight.since);
        }
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            return Duration::ZERO;
        }
        let sight = Sight {
            version,
            since: now.mono,
            gone_at: now.mono + policy.owner_gone_in(intent, Duration::ZERO, now.wall),
        };
        self.seen.insert(key, sight);
        Duration::ZERO
    }

    /// What is known of the owner of the intent that stands under `key` in this version.
    pub(crate) fn owner(&self, key: &RecordKey, version: Version, now: Duration) -> Owner {
        match self.seen.get(key) {
            Some(sight) if sight.version != version => Owner::Unknown,
            Some(sight) if sight.gone_at <= now => Owner::Gone,
            Some(_) => Owner::AtWork,
            None => Owner::Unknown,
        }
    }

    /// Forgets what a whole sweep that began at `since` has not found: those intents are done with. What was
    /// first seen since then may have come after the sweep had passed.
    pub(crate) fn keep_listed(&mut self, listed: &BTreeSet<RecordKey>, since: Duration) {
        self.seen
            .retain(|key, sight| sight.since >= since || listed.contains(key));
    }

    /// The record holds no intent any more.
    pub(crate) fn forget(&mut self, key: &RecordKey) {
        self.seen.remove(key);
    }

    /// Whether the owner of this attempt is known to exist no longer.
    pub(crate) fn is_abandoned(&self, attempt: AttemptId) -> bool {
        self.abandoned.contains(attempt.as_bytes())
    }

    /// The owners of these attempts are known to exist no longer.
    pub(crate) fn abandon(&mut self, attempts: impl IntoIterator<Item = AttemptId>) {
        self.abandoned
            .extend(attempts.into_iter().map(|attempt| *attempt.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use rc_auth_core::Timestamp;

    use super::*;

    const KEY: RecordKey = RecordKey::new([7; 32]);
    const V1: Version = Version::new([1; 16]);
    const V2: Version = Version::new([2; 16]);

    fn at(seconds: u64) -> Now {
        Now {
            wall: Timestamp::from_unix_millis(1_800_000_000_000),
            mono: Duration::from_secs(seconds),
        }
    }

    fn intent() -> Intent {
        serde_json::from_str(r#"{"attempt":"000102030405060708090a0b0c0d0e0f","unanswered":0}"#)
            .unwrap()
    }

    #[test]
    fn an_owner_is_gone_ten_seconds_after_its_last_sign_of_life() {
        let mut intents = Intents::default();
        let policy = RefreshPolicy::default();
        assert_eq!(intents.owner(&KEY, V1, at(0).mono), Owner::Unknown);
        assert_eq!(
            intents.note(KEY, V1, &intent(), &policy, at(0)),
            Duration::ZERO
        );
        assert_eq!(intents.owner(&KEY, V1, at(9).mono), Owner::AtWork);
        assert_eq!(intents.owner(&KEY, V2, at(9).mono), Owner::Unknown);
        intents.note(KEY, V2, &intent(), &policy, at(9));
        assert_eq!(intents.owner(&KEY, V2, at(18).mono), Owner::AtWork);
        assert_eq!(intents.owner(&KEY, V2, at(19).mono), Owner::Gone);
        let seen = intents.note(KEY, V2, &intent(), &policy, at(20));
        assert_eq!(seen, Duration::from_secs(11));
    }

    #[test]
    fn intents_that_are_done_with_make_room_for_others() {
        let mut intents = Intents::default();
        let policy = RefreshPolicy::default();
        for n in 0..u64::try_from(MOST).unwrap() {
            let key = RecordKey::derive(&[&n.to_be_bytes()]);
            intents.note(key, V1, &intent(), &policy, at(0));
        }
        intents.note(KEY, V1, &intent(), &policy, at(1));
        assert_eq!(intents.owner(&KEY, V1, at(60).mono), Owner::Unknown);
        intents.keep_listed(&BTreeSet::from([KEY]), at(2).mono);
        intents.note(KEY, V1, &intent(), &policy, at(3));
        intents.keep_listed(&BTreeSet::from([KEY]), at(4).mono);
        assert_eq!(intents.owner(&KEY, V1, at(13).mono), Owner::Gone);
    }

    #[test]
    fn a_record_without_an_intent_is_forgotten() {
        let mut intents = Intents::default();
        intents.note(KEY, V1, &intent(), &RefreshPolicy::default(), at(0));
        intents.forget(&KEY);
        assert_eq!(intents.owner(&KEY, V1, at(1).mono), Owner::Unknown);
    }

    #[test]
    fn an_abandoned_attempt_has_been_silent_for_ever() {
        let mut intents = Intents::default();
        intents.abandon([intent().attempt]);
        let silent = intents.note(KEY, V1, &intent(), &RefreshPolicy::default(), at(0));
        assert_eq!(silent, Duration::MAX);
    }
}
