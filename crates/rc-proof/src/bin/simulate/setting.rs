//! What is drawn once for a seed: what fails, how often and in which ways, and what the platform and the store are like.

use std::{fmt, time::Duration};

use crate::{SECOND, dice::Dice};

/// What becomes of a write that fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// Nothing is written.
    Lost,
    /// It is written all the same.
    AnswerLost,
    /// It is written seconds later.
    Late,
}

/// What becomes of a request that fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wrong {
    /// No connection: not one byte leaves.
    Unreachable,
    LostOnTheWay,
    AnswerLost,
    AnswerLate,
    Unavailable,
    /// 503, although the request was carried out.
    UnavailableAfterIt,
    Limited,
    Page,
    CutShort,
}

const WRONGS: [Wrong; 9] = [
    Wrong::Unreachable,
    Wrong::LostOnTheWay,
    Wrong::AnswerLost,
    Wrong::AnswerLate,
    Wrong::Unavailable,
    Wrong::UnavailableAfterIt,
    Wrong::Limited,
    Wrong::Page,
    Wrong::CutShort,
];

/// The setting of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// How many of the store's reads fail, in percent.
    pub(crate) reads: u64,
    /// How many of its writes.
    pub(crate) writes: u64,
    /// In which ways: one of these each time.
    fates: [Fate; 3],
    /// How many refreshes and revocations fail, in percent.
    pub(crate) platform: u64,
    /// In which way, where a seed knows two only.
    wrongs: Option<[Wrong; 2]>,
    /// How many answers of the store are slow, in percent.
    pub(crate) slow: u64,
    /// How long such a read takes at most; a write twice as long.
    pub(crate) slowest_read: Duration,
    /// Whether the store tells of changes, or has to be asked.
    pub(crate) tells_changes: bool,
    /// Whether the platform takes each refresh token once ever.
    pub(crate) is_strict: bool,
    /// Whether a spent token still revokes the session that it was of. Where it does, one that goes on unnoticed beside
    /// its own end is not seen.
    pub(crate) spent_revokes: bool,
    /// Whether token requests are counted as the platform counts them.
    pub(crate) has_budget: bool,
    /// Whether grants end that nobody uses, so that each use is written down.
    pub(crate) ends_idle: bool,
    /// Whether refresh tokens live for minutes, so that grants nobody uses have to be kept alive.
    pub(crate) has_short_lives: bool,
    pub(crate) processes: u64,
    pub(crate) users: usize,
}

impl Setting {
    pub(crate) fn of(seed: u64) -> Self {
        use Fate::{AnswerLost, Late, Lost};
        let mut dice = Dice::new(seed, 1, 0);
        let store = dice.pick([0, 3, 8, 20]);
        let (reads, writes) = dice.pick([(1, 1), (1, 1), (1, 0), (0, 1)]);
        let seldom = 4 * SECOND;
        let often = SECOND;
        let (slow, slowest_read) = dice.pick([
            (0, Duration::ZERO),
            (3, seldom),
            (3, seldom),
            (15, seldom),
            (40, often),
        ]);
        let all = [Lost, AnswerLost, Late];
        let is_strict = dice.roll(6) == 0;
        let wrongs = [dice.pick(WRONGS), dice.pick(WRONGS)];
        Self {
            reads: store * reads,
            writes: store * writes,
            fates: dice.pick([all, all, all, [Lost; 3], [AnswerLost; 3], [Late; 3]]),
            platform: dice.pick([0, 10, 30, 60]),
            wrongs: (dice.roll(2) == 0).then_some(wrongs),
            slow,
            slowest_read,
            tells_changes: dice.roll(2) == 0,
            is_strict,
            spent_revokes: dice.roll(2) == 0,
            has_budget: dice.roll(4) == 0,
            ends_idle: dice.roll(4) == 0,
            has_short_lives: dice.roll(4) == 0,
            processes: 2 + dice.roll(3),
            users: dice.pick([1, 1, 1, 2, 3]),
        }
    }

    /// Whether neither store nor platform ever fails, but for outages.
    pub(crate) fn is_perfect(&self) -> bool {
        self.reads == 0 && self.writes == 0 && self.platform == 0
    }

    /// What becomes of one write that fails.
    pub(crate) fn fate(&self, dice: &mut Dice) -> Fate {
        dice.pick(self.fates)
    }

    /// What becomes of one request that fails.
    pub(crate) fn wrong(&self, dice: &mut Dice) -> Wrong {
        match self.wrongs {
            Some(two) => dice.pick(two),
            None => dice.pick(WRONGS),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
        write!(
            f,
            "with a store that fails {} % of the reads and {} % of the writes, is slow {} % and {} of changes, and a \
             platform that fails {} % and {}{}{}",
            self.reads,
            self.writes,
            self.slow,
            say(self.tells_changes, "tells", "does not tell"),
            self.platform,
            say(
                self.is_strict,
                "takes each refresh token once",
                "repeats answers"
            ),
            say(self.has_budget, "; token requests are counted", ""),
            say(
                self.has_short_lives,
                "; refresh tokens live for 24 minutes",
                ""
            ),
        )
    }
}
