//! Mistakes put in on purpose: with each, the search must find an invariant broken.

use crate::{
    bounds::Bounds,
    invariants::Broken,
    search::{Found, explore},
};

/// A mistake of a process, its driver or the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Defect {
    None,
    /// The new pair is taken for written, and is not.
    NoCommit,
    /// The intent is taken for written, and is not.
    NoIntent,
    /// Whoever meets a conflict writes once more, over what is there.
    WritesAgain,
    /// A 401 is taken for one of the pair that is shown, whichever it names.
    AnyPair,
    /// A lost answer is told as a refusal.
    LossIsRefusal,
    /// Whatever is saved is written without comparing versions.
    NoCompare,
    /// Whoever finds an intent takes its owner for gone.
    NoPatience,
    /// A pair whose answer left out the refresh token is saved without one.
    DropsToken,
    /// How often a token may have been presented is not written down.
    CountsNothing,
}

/// A defect, and what has to come of it.
pub(crate) struct Spoiled {
    defect: Defect,
    about: &'static str,
    /// The invariant that it removes, first; the shortest way may break another one.
    breaks: &'static [&'static str],
    /// What has to happen for it to show.
    wants: fn(&mut Bounds),
}

const SAVED: &str = "1 saved before used";
const INTENT: &str = "2 intent before send";
const READ: &str = "3 losers only read";
const NAMED: &str = "4 a 401 names its pair";
const CODE: &str = "5 dead only by code";
const FINAL: &str = "6 sign-out is final";
const ONE: &str = "7 one refresh in flight";
const STAYS: &str = "8 the old refresh token stays";

const ONCE: &str = "presented once more at most";

/// One for each invariant of every platform, and one for that of platforms that repeat nothing.
pub(crate) const ALL: [Spoiled; 9] = [
    Spoiled {
        defect: Defect::NoCommit,
        about: "a pair is used that was not written",
        breaks: &[SAVED],
        wants: |_| {},
    },
    Spoiled {
        defect: Defect::NoIntent,
        about: "a request goes out without an intent",
        breaks: &[INTENT],
        wants: |_| {},
    },
    Spoiled {
        defect: Defect::WritesAgain,
        about: "whoever meets a conflict writes once more",
        breaks: &[READ],
        wants: |_| {},
    },
    Spoiled {
        defect: Defect::AnyPair,
        about: "any 401 is taken for one of the pair shown",
        breaks: &[NAMED],
        wants: |bounds| bounds.left.refusals = 1,
    },
    Spoiled {
        defect: Defect::LossIsRefusal,
        about: "a lost answer ends the grant",
        breaks: &[CODE],
        wants: |bounds| bounds.left.faults = 1,
    },
    Spoiled {
        defect: Defect::NoCompare,
        about: "writes compare no versions",
        breaks: &[FINAL, INTENT],
        wants: |bounds| bounds.left.sign_outs = 1,
    },
    Spoiled {
        defect: Defect::NoPatience,
        about: "nobody waits for the owner of an intent",
        breaks: &[ONE, INTENT],
        wants: |_| {},
    },
    Spoiled {
        defect: Defect::DropsToken,
        about: "the old refresh token is not kept",
        breaks: &[STAYS],
        wants: |bounds| bounds.left.omissions = 1,
    },
    Spoiled {
        defect: Defect::CountsNothing,
        about: "how often a token was presented is not written down",
        breaks: &[ONCE],
        wants: |bounds| {
            bounds.strict = true;
            bounds.left.crashes = 2;
        },
    },
];

impl Spoiled {
    /// Searches a small world that has the defect.
    ///
    /// # Errors
    ///
    /// When nothing was found to be broken, or something else.
    pub(crate) fn find(&self) -> Result<Found, String> {
        let mut bounds = Bounds::small(self.defect);
        (self.wants)(&mut bounds);
        let found = explore(&bounds)?;
        let broken = found.broken.as_ref().map(|(broken, _)| broken.invariant);
        match broken {
            Some(invariant) if self.breaks.contains(&invariant) => Ok(found),
            _ => Err(format!("{}: NOT FOUND, but {broken:?}", self.about)),
        }
    }
}

/// `--spoiled`: searches with each defect.
///
/// # Errors
///
/// At the first that is not found.
pub(crate) fn find_all() -> Result<(), String> {
    for spoiled in &ALL {
        let found = spoiled.find()?;
        if let Some((broken, path)) = &found.broken {
            let (about, steps, states) = (spoiled.about, path.len(), found.states);
            let Broken {
                invariant, detail, ..
            } = broken;
            println!("{about}: {invariant}: {detail}; {steps} steps, {states} states");
        }
    }
    Ok(())
}
