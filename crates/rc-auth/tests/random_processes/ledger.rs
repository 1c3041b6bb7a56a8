//! What users know of their grants, which calls are open, and what was wrong.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use rc_auth::{GrantKey, SimulatedWorld};

use crate::processes::SECOND;

/// How many users there are, each with a grant.
pub(crate) const KEYS: usize = 5;

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
}

/// Longer than the store takes to apply a write that it said had failed.
const LATEST_WRITE: Duration = Duration::from_secs(13);

impl Known {
    /// What is known after a sign-in or sign-out ended at `since`.
    fn settled(self, mut expected: Expected, since: Duration) -> Self {
        let was_sign_in = self.busy.is_some_and(|busy| busy.is_sign_in);
        if expected == Expected::Out && since < self.may_land_until {
            expected = Expected::Unknown;
        }
        let may_land_until = if was_sign_in && expected == Expected::Unknown {
            since + LATEST_WRITE
        } else {
            self.may_land_until
        };
        Self {
            expected,
            epoch: self.epoch + 1,
            since,
            busy: None,
            may_land_until,
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
}

impl Ledger {
    /// A ledger in which everybody is signed out.
    pub(crate) fn new(world: SimulatedWorld) -> Self {
        let known = Known {
            expected: Expected::Out,
            epoch: 0,
            since: Duration::ZERO,
            busy: None,
            may_land_until: Duration::ZERO,
        };
        Self {
            world,
            known: Mutex::new(vec![known; KEYS]),
            complaints: Mutex::default(),
            open: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.now().mono
    }

    /// Prints what happens, if asked to by `RC_TRACE`.
    pub(crate) fn trace(&self, text: impl FnOnce() -> String) {
        if std::env::var_os("RC_TRACE").is_some() {
            println!("  {:?}: {}", self.now(), text());
        }
    }

    /// Writes down that something is wrong.
    pub(crate) fn complain(&self, text: &str) {
        let text = format!("{:?}: {text}", self.now());
        self.complaints.lock().unwrap().push(text);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    pub(crate) fn known(&self, key: usize) -> Known {
        self.known.lock().unwrap()[key]
    }

    /// Begins a sign-in or sign-out, unless there is one already.
    pub(crate) fn begin(&self, process: u64, key: usize, is_sign_in: bool) -> bool {
        let mut known = self.known.lock().unwrap();
        let known = &mut known[key];
        if known.busy.is_some() {
            return false;
        }
        known.busy = Some(Busy {
            process,
            is_sign_in,
        });
        known.epoch += 1;
        self.trace(|| {
            format!(
                "{} in process {process} begins, sign-in: {is_sign_in}",
                name(key)
            )
        });
        true
    }

    /// Ends a sign-in or sign-out.
    pub(crate) fn settle(&self, key: usize, expected: Expected) {
        self.trace(|| format!("{} is {expected:?}", name(key)));
        let mut known = self.known.lock().unwrap();
        known[key] = known[key].settled(expected, self.now());
    }

    /// Writes down that a call begins.
    pub(crate) fn open(&self, id: u64, process: u64, what: &str) {
        let call = OpenCall {
            process,
            what: what.to_owned(),
            began: self.now(),
        };
        self.open.lock().unwrap().insert(id, call);
    }

    /// Writes down that a call was answered.
    pub(crate) fn answered(&self, id: u64) {
        self.open.lock().unwrap().remove(&id);
    }

    /// Complains about calls that no process answered.
    pub(crate) fn find_overdue(&self) {
        let now = self.now();
        self.open.lock().unwrap().retain(|_, call| {
            let overdue = now - call.began > 125 * SECOND;
            if overdue {
                self.complain(&format!("{}: UNANSWERED", call.what));
            }
            !overdue
        });
    }

    /// Forgets what a killed process was at; how many chains may be alive that nobody can know of.
    pub(crate) fn forget(&self, process: u64) -> u64 {
        self.open
            .lock()
            .unwrap()
            .retain(|_, call| call.process != process);
        let mut excused = 0;
        for known in self.known.lock().unwrap().iter_mut() {
            if let Some(busy) = known.busy
                && busy.process == process
            {
                // A chain may be lost between the exchange and the save, and the replaced one after it.
                excused += 2 * u64::from(busy.is_sign_in);
                *known = known.settled(Expected::Unknown, self.now());
            }
        }
        excused
    }
}

/// The name of a user, and of the grant.
pub(crate) fn name(key: usize) -> String {
    format!("user-{key}")
}

pub(crate) fn grant_key(key: usize) -> GrantKey {
    GrantKey::new(name(key))
}
