//! When things happen: each extension has one event in each round, at a place that changes with the round.
//!
//! Event number n has its own slot of time, so the instant of an event is a sum, the event of an instant a
//! division, and neither ever changes while time passes.

use std::time::Duration;

use crate::timestamp::Timestamp;

use super::draw::Draw;

/// Whose events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whose {
    /// Everybody's.
    Company,
    /// Those of the extension at this place in the list of extensions.
    Extension(u64),
}

/// The events of one kind of all extensions.
#[derive(Clone, Copy)]
pub(crate) struct Timeline {
    key: u64,
    extensions: u64,
    /// Milliseconds between two slots.
    slot: u64,
}

impl Timeline {
    /// `round` is the mean time between two events of one extension.
    pub(crate) fn new(key: u64, extensions: u64, round: Duration) -> Self {
        let extensions = extensions.max(1);
        let round = u64::try_from(round.as_millis()).unwrap_or(u64::MAX);
        Self {
            key,
            extensions,
            slot: (round / extensions).max(1),
        }
    }

    /// The instant of event `number`.
    pub(crate) fn at(self, number: u64) -> Timestamp {
        let delay = Draw::new(self.key, number).below(self.slot);
        Timestamp::from_millis(number.saturating_mul(self.slot).saturating_add(delay))
    }

    /// The place of the extension event `number` belongs to.
    pub(crate) fn extension(self, number: u64) -> u64 {
        let (round, place) = (number / self.extensions, number % self.extensions);
        (place + self.extensions - self.turn(round)) % self.extensions
    }

    /// The number of the event at `position` among the events of `whose`, the oldest being at 0.
    pub(crate) fn number(self, whose: Whose, position: u64) -> u64 {
        match whose {
            Whose::Company => position,
            Whose::Extension(index) => {
                let place = (index + self.turn(position)) % self.extensions;
                position
                    .saturating_mul(self.extensions)
                    .saturating_add(place)
            }
        }
    }

    /// How many events of `whose` have happened at `instant`, that instant included.
    pub(crate) fn happened(self, whose: Whose, instant: Timestamp) -> u64 {
        let slots = instant.millis() / self.slot;
        let begun = match whose {
            Whose::Company => slots,
            Whose::Extension(_) => slots / self.extensions,
        };
        begun.saturating_add(u64::from(self.at(self.number(whose, begun)) <= instant))
    }

    /// How many events of `whose` happened before `instant`.
    pub(crate) fn happened_before(self, whose: Whose, instant: Timestamp) -> u64 {
        match instant.millis().checked_sub(1) {
            Some(millis) => self.happened(whose, Timestamp::from_millis(millis)),
            None => 0,
        }
    }

    fn turn(self, round: u64) -> u64 {
        Draw::new(!self.key, round).below(self.extensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(26 * 60);

    #[test]
    fn the_events_of_all_extensions_are_those_of_the_company() {
        let timeline = Timeline::new(7, 60, ROUND);
        for position in 1_000_000..1_000_300 {
            for index in [0, 1, 59] {
                let whose = Whose::Extension(index);
                let number = timeline.number(whose, position);
                assert_eq!(timeline.extension(number), index);
                let at = timeline.at(number);
                assert_eq!(timeline.happened(whose, at), position + 1);
                assert_eq!(timeline.happened_before(whose, at), position);
                assert_eq!(timeline.happened(Whose::Company, at), number + 1);
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        for extensions in [0, 1, 60, 10_000_000] {
            let timeline = Timeline::new(7, extensions, ROUND);
            for millis in [0, 1, u64::MAX] {
                let instant = Timestamp::from_millis(millis);
                timeline.happened(Whose::Company, instant);
                timeline.happened_before(Whose::Extension(0), instant);
            }
        }
    }
}
