//! The platform's clock: its callers' time, moved, stopped, and perhaps told wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// How the platform's time follows from its callers'.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Clock {
    /// How far ahead of its callers' it is, in milliseconds; behind where negative.
    offset: i64,
    frozen_at: Option<Timestamp>,
    /// How far what it tells is ahead of what it goes by, in milliseconds.
    skew: i64,
}

impl Clock {
    /// The time that lifetimes and limits go by.
    pub(crate) fn time(self, now: Timestamp) -> Timestamp {
        self.frozen_at.unwrap_or_else(|| moved(now, self.offset))
    }

    /// The time that `Date` headers and other answers tell when it is `time`.
    pub(crate) fn told(self, time: Timestamp) -> Timestamp {
        moved(time, self.skew)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        match &mut self.frozen_at {
            Some(at) => *at = at.plus(by),
            None => {
                let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                self.offset = self.offset.saturating_add(by);
            }
        }
    }

    pub(crate) fn freeze(&mut self, now: Timestamp) {
        self.frozen_at = Some(self.time(now));
    }

    /// Time goes on from where it stopped.
    pub(crate) fn unfreeze(&mut self, now: Timestamp) {
        if let Some(at) = self.frozen_at.take() {
            let millis = |at: Timestamp| i64::try_from(at.millis()).unwrap_or(i64::MAX);
            self.offset = millis(at).saturating_sub(millis(now));
        }
    }

    pub(crate) fn is_frozen(self) -> bool {
        self.frozen_at.is_some()
    }

    pub(crate) fn set_skew(&mut self, skew_millis: i64) {
        self.skew = skew_millis;
    }

    pub(crate) fn skew_millis(self) -> i64 {
        self.skew
    }
}

fn moved(at: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_add_signed(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn a_frozen_clock_moves_only_by_hand_and_goes_on_from_there() {
        let mut clock = Clock::default();
        clock.freeze(NOW);
        let later = NOW.plus(Duration::from_secs(60));
        assert_eq!(clock.time(later), NOW);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.time(later), NOW.plus(Duration::from_secs(1)));
        clock.unfreeze(later);
        let still_later = later.plus(Duration::from_secs(5));
        assert_eq!(clock.time(still_later), NOW.plus(Duration::from_secs(6)));
    }

    #[test]
    fn skew_changes_what_is_told_and_nothing_else() {
        let mut clock = Clock::default();
        clock.set_skew(-5_000);
        assert_eq!(clock.time(NOW), NOW);
        assert_eq!(clock.told(NOW), Timestamp::from_millis(995_000));
    }

    #[test]
    fn nothing_overflows() {
        let mut clock = Clock::default();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        clock.set_skew(i64::MIN);
        assert_eq!(
            clock.told(clock.time(Timestamp::from_millis(0))).millis(),
            0
        );
    }
}
