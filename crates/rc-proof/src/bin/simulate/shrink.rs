//! Makes a run that failed small: leaves out steps and faults as long as it fails in the same way.

use std::collections::BTreeSet;

use crate::story::{Outcome, Script, Story};

/// How many runs are spent on one failure.
const MOST_RUNS: usize = 400;

/// The words in capitals that a complaint begins with.
pub(crate) fn class(complaint: &str) -> &str {
    let end = complaint.find(|c: char| !(c.is_ascii_uppercase() || c == ' ' || c == '-'));
    complaint[..end.unwrap_or(complaint.len())].trim()
}

/// A smaller script that fails in the same way.
///
/// # Errors
///
/// When it cannot be run.
pub(crate) fn shrink(seed: u64, failed: &Outcome) -> Result<Script, String> {
    let wanted = failed
        .complaints
        .first()
        .map(|it| class(it))
        .unwrap_or_default();
    let mut search = Search {
        best: Script {
            seed,
            steps: Some(failed.steps.clone()),
            faults: Some(failed.faults.clone()),
            keeps: false,
        },
        wanted: wanted.to_owned(),
        runs: 0,
    };
    loop {
        let before = search.size();
        search.drop_faults()?;
        search.drop_steps()?;
        if search.size() == before || search.runs >= MOST_RUNS {
            return Ok(search.best);
        }
    }
}

struct Search {
    best: Script,
    wanted: String,
    runs: usize,
}

impl Search {
    fn size(&self) -> usize {
        size(&self.best)
    }

    fn drop_steps(&mut self) -> Result<(), String> {
        let steps = self.best.steps.clone().unwrap_or_default();
        let kept = self.minimize(steps, |script, steps| script.steps = Some(steps))?;
        self.best.steps = Some(kept);
        Ok(())
    }

    fn drop_faults(&mut self) -> Result<(), String> {
        let faults = self.best.faults.clone().unwrap_or_default();
        let kept = self.minimize(faults, |script, faults| script.faults = Some(faults))?;
        self.best.faults = Some(kept);
        Ok(())
    }

    /// Leaves out parts of `items`, half of them at first and then ever smaller parts.
    fn minimize<T: Clone + Ord>(
        &mut self,
        items: BTreeSet<T>,
        set: impl Fn(&mut Script, BTreeSet<T>),
    ) -> Result<BTreeSet<T>, String> {
        let mut kept: Vec<T> = items.into_iter().collect();
        let mut part = kept.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < kept.len() {
                let end = (at + part).min(kept.len());
                let rest: Vec<T> = [&kept[..at], &kept[end..]].concat();
                let mut script = self.best.clone();
                set(&mut script, rest.iter().cloned().collect());
                if self.still_fails(&script)? {
                    kept = rest;
                } else {
                    at = end;
                }
            }
            if part == 1 || self.runs >= MOST_RUNS {
                return Ok(kept.into_iter().collect());
            }
            part = part.div_ceil(2);
        }
    }

    fn still_fails(&mut self, script: &Script) -> Result<bool, String> {
        if self.runs >= MOST_RUNS {
            return Ok(false);
        }
        self.runs += 1;
        let complaints = Story::run(script)?.complaints;
        Ok(complaints.iter().any(|it| class(it) == self.wanted))
    }
}

/// How many steps and faults a script names.
pub(crate) fn size(script: &Script) -> usize {
    let steps = script.steps.as_ref().map_or(0, BTreeSet::len);
    steps + script.faults.as_ref().map_or(0, BTreeSet::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_a_complaint_is_its_words_in_capitals() {
        assert_eq!(class("LOCKED OUT: TokenDead, call 3"), "LOCKED OUT");
        assert_eq!(class("SERVED AFTER SIGN-OUT: 3s"), "SERVED AFTER SIGN-OUT");
        assert_eq!(class("SPINS"), "SPINS");
    }
}
