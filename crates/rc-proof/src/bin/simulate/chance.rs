//! Chance: when something goes wrong, and how long everything takes. All of it follows the seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{dice::Dice, setting::Setting};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long after an outage of the store callers may still be turned away: its longest pause, and a read.
const AFTER_STORE: Duration = Duration::from_secs(8);

/// How many of those pauses there may be where reads fail besides.
const MOST_PAUSES: u32 = 5;

/// The same after one of the platform: its longest pause, and a refresh.
const AFTER_PLATFORM: Duration = Duration::from_secs(125);

/// What an operation goes to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Place {
    Store,
    Platform,
}

/// The name of one operation of a process: `2s17` is the 17th that process 2 asks the store for, `1p3` the third
/// request to the platform of process 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Op {
    process: u64,
    place: Place,
    number: u64,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Store => 's',
            Place::Platform => 'p',
        };
        write!(f, "{}{place}{}", self.process, self.number)
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = match text.find(['s', 'p']) {
            Some(at) if text[at..].starts_with('s') => (at, Place::Store),
            Some(at) => (at, Place::Platform),
            None => return Err(format!("{text:?} is no operation, such as 2s17")),
        };
        let (at, place) = place;
        let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
        Ok(Self {
            process: number(&text[..at])?,
            place,
            number: number(&text[at + 1..])?,
        })
    }
}

/// The dice of one operation.
#[derive(Debug)]
pub(crate) struct Draws {
    pub(crate) op: Op,
    pub(crate) dice: Dice,
}

/// What goes wrong in a run.
#[derive(Debug)]
pub(crate) struct Chance {
    seed: u64,
    is_bad: AtomicBool,
    /// The platform has said 503 although it carried a request out.
    has_lied: AtomicBool,
    pub(crate) setting: Setting,
    outages: Mutex<Outages>,
    /// Only these may fail; `None`: all that the dice say.
    only: Option<BTreeSet<Op>>,
    counts: Mutex<BTreeMap<(u64, Place), u64>>,
    struck: Mutex<BTreeSet<Op>>,
}

/// Until when what cannot be reached.
#[derive(Debug, Default)]
struct Outages {
    /// The store, by each process.
    store: BTreeMap<u64, Duration>,
    platform: Duration,
}

impl Chance {
    pub(crate) fn new(seed: u64, only: Option<BTreeSet<Op>>) -> Self {
        Self {
            seed,
            is_bad: AtomicBool::new(false),
            has_lied: AtomicBool::new(false),
            setting: Setting::of(seed),
            outages: Mutex::default(),
            only,
            counts: Mutex::default(),
            struck: Mutex::default(),
        }
    }

    /// The dice of the next operation of a process.
    pub(crate) fn draws(&self, process: u64, place: Place) -> Draws {
        let mut counts = lock(&self.counts);
        let number = counts.entry((process, place)).or_default();
        *number += 1;
        let op = Op {
            process,
            place,
            number: *number,
        };
        let dice = Dice::new(self.seed, 2 + process * 2 + place as u64, *number);
        Draws { op, dice }
    }

    /// Whether this operation fails, as it does in `percent` of all cases while the weather is bad.
    pub(crate) fn strikes(&self, draws: &mut Draws, percent: u64) -> bool {
        let wanted = draws.dice.roll(100) < percent && self.is_bad();
        let strikes = wanted
            && self
                .only
                .as_ref()
                .is_none_or(|only| only.contains(&draws.op));
        if strikes {
            lock(&self.struck).insert(draws.op);
        }
        strikes
    }

    /// A process cannot reach the store until then.
    pub(crate) fn lose_store(&self, process: u64, until: Duration) {
        lock(&self.outages).store.insert(process, until);
    }

    pub(crate) fn lose_platform(&self, until: Duration) {
        lock(&self.outages).platform = until;
    }

    pub(crate) fn has_store(&self, process: u64, now: Duration) -> bool {
        let outages = lock(&self.outages);
        outages
            .store
            .get(&process)
            .is_none_or(|until| *until <= now)
    }

    pub(crate) fn has_platform(&self, now: Duration) -> bool {
        lock(&self.outages).platform <= now
    }

    /// From when on a process can know what the store says, after it could not reach it.
    pub(crate) fn knows_store(&self, process: u64) -> Duration {
        let outages = lock(&self.outages);
        let lost = outages.store.get(&process);
        let pauses = if self.setting.reads > 0 {
            MOST_PAUSES
        } else {
            1
        };
        lost.map_or(Duration::ZERO, |until| *until + pauses * AFTER_STORE)
    }

    /// From when on nobody may be turned away for an outage, if there was one.
    pub(crate) fn is_over_outages(&self, at: Duration) -> bool {
        let outages = lock(&self.outages);
        let store = outages.store.values().max();
        store.is_none_or(|until| *until + AFTER_STORE <= at)
            && (outages.platform.is_zero() || outages.platform + AFTER_PLATFORM <= at)
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.is_bad.load(Ordering::Relaxed)
    }

    /// Lets things go wrong from now on.
    pub(crate) fn begin(&self) {
        self.is_bad.store(true, Ordering::Relaxed);
    }

    /// Lets nothing go wrong any more.
    pub(crate) fn end(&self, now: Duration) {
        self.is_bad.store(false, Ordering::Relaxed);
        let mut outages = lock(&self.outages);
        let store = outages.store.values_mut();
        store.for_each(|until| *until = now.min(*until));
        outages.platform = now.min(outages.platform);
    }

    /// The platform says 503 although it carries a request out.
    pub(crate) fn lies(&self) {
        self.has_lied.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_lied(&self) -> bool {
        self.has_lied.load(Ordering::Relaxed)
    }

    /// How many answers of the platform may have been lost.
    pub(crate) fn lost_answers(&self) -> u64 {
        let struck = lock(&self.struck);
        struck
            .iter()
            .filter(|op| op.place == Place::Platform)
            .count() as u64
    }

    /// The operations that failed.
    pub(crate) fn struck(&self) -> BTreeSet<Op> {
        lock(&self.struck).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_operation_is_read_back() {
        for text in ["1s1", "12p345"] {
            assert_eq!(text.parse::<Op>().unwrap().to_string(), text);
        }
        for text in ["", "s", "1x2", "1s", "s1"] {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_allowed_strikes() {
        let struck = |only: Option<BTreeSet<Op>>| {
            let chance = Chance::new(7, only);
            chance.begin();
            for _ in 0..3 {
                chance.strikes(&mut chance.draws(1, Place::Store), 100);
            }
            chance.struck()
        };
        let first: BTreeSet<Op> = ["1s1".parse().unwrap()].into();
        assert_eq!(struck(None).len(), 3);
        assert_eq!(struck(Some(first.clone())), first);
    }
}
