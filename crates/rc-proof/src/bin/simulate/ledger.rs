//! What users know of their grants, which calls are open, and what was wrong.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rc_auth::{GrantKey, SimulatedWorld};

use crate::{SECOND, chance::lock, store::LATEST_WRITE};

/// How long a process looks after a sign-in that failed, and a sign-out.
const LOOKED_AFTER: Duration = Duration::from_secs(75);

/// Whether a grant is signed in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expected {
    In,
    Out,
    /// An operation failed, or its process died.
    Unknown,
}

impl Expected {
    /// `done` if the operation succeeded.
    pub(crate) fn after<T, E>(result: &Result<T, E>, done: Self) -> Self {
        if result.is_ok() { done } else { Self::Unknown }
    }
}

/// What its user knows of a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) expected: Expected,
    /// Moves with every beginning and end of a sign-in or sign-out.
    pub(crate) epoch: u64,
    /// When `expected` was settled.
    pub(crate) since: Duration,
    pub(crate) busy: Option<Busy>,
    /// Until when the record of a sign-in that failed, or whose process died, may still come to be written: a
    /// sign-out that finds nothing before has ended nothing that comes after.
    may_land_until: Duration,
    /// Until when its process may look after a sign-in that failed: what it ends, a sign-out finds ended.
    pub(crate) looked_after_until: Duration,
    /// A sign-out failed that may still be carried out: a new sign-in is told from the old one by the clock then.
    is_leaving_late: bool,
}

impl Known {
    /// What is known after a sign-in or sign-out ended at `since`.
    fn settled(mut self, mut expected: Expected, since: Duration, clocks_are_right: bool) -> Self {
        let was_sign_in = self.busy.is_some_and(|busy| busy.is_sign_in);
        let is_unknown = expected == Expected::Unknown;
        if was_sign_in && is_unknown && self.expected == Expected::In {
            // It has replaced the sign-in before, or that one still stands.
            expected = Expected::In;
        }
        self.is_leaving_late |= !was_sign_in && expected == Expected::Unknown;
        if self.is_leaving_late && !clocks_are_right {
            expected = Expected::Unknown;
        }
        if expected == Expected::Out && since < self.may_land_until {
            expected = Expected::Unknown;
        }
        let (may_land_until, looked_after_until) = if was_sign_in && is_unknown {
            (since + LATEST_WRITE, since + LOOKED_AFTER)
        } else {
            (self.may_land_until, self.looked_after_until)
        };
        Self {
            expected,
            epoch: self.epoch + 1,
            since,
            busy: None,
            may_land_until,
            looked_after_until,
            ..self
        }
    }
}

/// A sign-in or sign-out under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    process: u64,
    is_sign_in: bool,
}

/// A call that was begun and has no answer yet.
struct OpenCall {
    process: u64,
    what: String,
    began: Duration,
}

/// The ledger of a run; all its tasks write in it.
pub(crate) struct Ledger {
    world: SimulatedWorld,
    known: Mutex<Vec<Known>>,
    complaints: Mutex<Vec<String>>,
    open: Mutex<BTreeMap<u64, OpenCall>>,
    /// Somebody has set a clock.
    has_wrong_clocks: AtomicBool,
    /// Until when each process was suspended at last.
    suspended: Mutex<BTreeMap<u64, Duration>>,
    /// When processes were killed or suspended.
    gone: Mutex<Vec<Duration>>,
    /// Sign-ins that failed after the code was exchanged, perhaps, by process.
    failed_sign_ins: Mutex<BTreeMap<u64, u64>>,
}

impl Ledger {
    /// A ledger in which this many users are signed out.
    pub(crate) fn new(world: SimulatedWorld, users: usize) -> Self {
        let known = Known {
            expected: Expected::Out,
            epoch: 0,
            since: Duration::ZERO,
            busy: None,
            may_land_until: Duration::ZERO,
            looked_after_until: Duration::ZERO,
            is_leaving_late: false,
        };
        Self {
            world,
            known: Mutex::new(vec![known; users]),
            complaints: Mutex::default(),
            open: Mutex::default(),
            has_wrong_clocks: AtomicBool::new(false),
            suspended: Mutex::default(),
            gone: Mutex::default(),
            failed_sign_ins: Mutex::default(),
        }
    }

    pub(crate) fn users(&self) -> usize {
        lock(&self.known).len()
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.now().mono
    }

    /// Writes down that something is wrong. The words in capitals at its beginning name what.
    pub(crate) fn complain(&self, text: &str) {
        lock(&self.complaints).push(text.to_owned());
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        lock(&self.complaints).clone()
    }

    pub(crate) fn known(&self, user: usize) -> Known {
        lock(&self.known)[user]
    }

    /// Begins a sign-in or sign-out, unless there is one already.
    pub(crate) fn begin(&self, process: u64, user: usize, is_sign_in: bool) -> bool {
        let mut known = lock(&self.known);
        let known = &mut known[user];
        if known.busy.is_some() {
            return false;
        }
        known.busy = Some(Busy {
            process,
            is_sign_in,
        });
        known.epoch += 1;
        true
    }

    /// Ends a sign-in or sign-out.
    pub(crate) fn settle(&self, user: usize, expected: Expected) {
        let mut known = lock(&self.known);
        if let (Some(busy), Expected::Unknown) = (known[user].busy, expected)
            && busy.is_sign_in
        {
            *lock(&self.failed_sign_ins).entry(busy.process).or_default() += 1;
        }
        known[user] = known[user].settled(expected, self.now(), !self.has_wrong_clocks());
    }

    /// Writes down that a call begins.
    pub(crate) fn open(&self, id: u64, process: u64, what: &str) {
        let call = OpenCall {
            process,
            what: what.to_owned(),
            began: self.now(),
        };
        lock(&self.open).insert(id, call);
    }

    /// Writes down that a call was answered.
    pub(crate) fn answered(&self, id: u64) {
        lock(&self.open).remove(&id);
    }

    pub(crate) fn note_wrong_clock(&self) {
        self.has_wrong_clocks.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_wrong_clocks(&self) -> bool {
        self.has_wrong_clocks.load(Ordering::Relaxed)
    }

    /// A process stands still until then; `Duration::MAX`: nobody knows for how long.
    pub(crate) fn suspend(&self, process: u64, until: Duration) {
        lock(&self.gone).push(self.now());
        lock(&self.suspended).insert(process, until);
    }

    /// How many processes were killed or suspended, or went on, since then.
    pub(crate) fn gone_since(&self, at: Duration) -> u32 {
        let gone = lock(&self.gone);
        let count = gone.iter().filter(|gone| **gone >= at).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// When a process went on after it was suspended at last.
    pub(crate) fn went_on(&self, process: u64) -> Duration {
        let suspended = lock(&self.suspended);
        suspended.get(&process).copied().unwrap_or_default()
    }

    /// Whether nobody waits for an answer.
    pub(crate) fn is_quiet(&self) -> bool {
        lock(&self.open).is_empty() && lock(&self.known).iter().all(|known| known.busy.is_none())
    }

    /// Complains about calls that no process answered.
    pub(crate) fn find_overdue(&self) {
        let now = self.now();
        lock(&self.open).retain(|_, call| {
            let began = call.began.max(self.went_on(call.process));
            let overdue = now.saturating_sub(began) > 125 * SECOND;
            if overdue {
                self.complain(&format!("UNANSWERED: {}", call.what));
            }
            !overdue
        });
    }

    /// Forgets what a killed process was at; how many sessions may be alive that nobody can know of.
    pub(crate) fn forget(&self, process: u64) -> u64 {
        lock(&self.gone).push(self.now());
        lock(&self.open).retain(|_, call| call.process != process);
        // A process that could neither save a pair nor revoke it goes on trying, until it dies.
        let failed = lock(&self.failed_sign_ins).remove(&process);
        let mut excused = failed.unwrap_or_default();
        for known in lock(&self.known).iter_mut() {
            if let Some(busy) = known.busy
                && busy.process == process
            {
                // A session may be lost between the exchange and the save, and the replaced one after it.
                excused += 2 * u64::from(busy.is_sign_in);
                *known = known.settled(Expected::Unknown, self.now(), !self.has_wrong_clocks());
            }
        }
        excused
    }
}

pub(crate) fn grant_key(user: usize) -> GrantKey {
    GrantKey::new(format!("user {user}"))
}
