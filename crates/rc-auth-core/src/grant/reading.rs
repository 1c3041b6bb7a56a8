//! What a read of the record means, by why it was read.

use super::{
    EndReason, GrantMachine, LoadFailure, Loaded, Report, Trouble,
    machine::UnexpectedInput,
    state::{Claim, Commit, End, Found, Observed, Purpose, Refreshable, State},
};
use crate::Now;

impl GrantMachine {
    pub(super) fn loaded(
        &mut self,
        loaded: Result<Loaded, LoadFailure>,
        now: Now,
    ) -> Result<(), UnexpectedInput> {
        let purpose = match self.take_state() {
            State::Loading(purpose) => purpose,
            other => {
                self.state = other;
                return Err(UnexpectedInput);
            }
        };
        self.state = match loaded {
            Err(failure) => self.store_down(purpose, failure, now),
            Ok(Loaded { held, owner_gone }) => self.read(purpose, held.into(), owner_gone, now),
        };
        Ok(())
    }

    fn store_down(&mut self, resume: Purpose, failure: LoadFailure, now: Now) -> State {
        let trouble = match failure {
            LoadFailure::Unavailable => Trouble::Store,
            LoadFailure::Unreadable => Trouble::Record,
        };
        self.report(Report::Delayed {
            trouble: trouble.clone(),
        });
        let until = now.mono + self.next_delay(self.policy.retry_first);
        State::StoreDown {
            resume,
            until,
            trouble,
        }
    }

    fn read(&mut self, purpose: Purpose, found: Found, owner_gone: bool, now: Now) -> State {
        match purpose {
            Purpose::Look => self.found(found, owner_gone, now),
            // Not sooner because somebody told of a write that is our own.
            Purpose::Recheck {
                held,
                until,
                trouble,
            } if found.is_still(held.version) => State::Waiting {
                held,
                until,
                trouble,
            },
            Purpose::Recheck { .. } => self.found(found, owner_gone, now),
            Purpose::Poll(observed) => self.polled(observed, found, owner_gone, now),
            Purpose::ConfirmClaim(claim) => self.confirm_claim(claim, found, owner_gone, now),
            Purpose::ConfirmCommit(commit) => self.confirm_commit(commit, found, owner_gone, now),
            Purpose::ConfirmEnd(end) => self.confirm_end(end, found, owner_gone, now),
        }
    }

    pub(super) fn found(&mut self, found: Found, owner_gone: bool, now: Now) -> State {
        match found {
            Found::Over(reason) => self.over(reason, now),
            Found::Idle { held, .. } => {
                self.failures = 0;
                self.adopt(&held);
                self.settle(held, now)
            }
            Found::Refreshing { held, intent } => {
                self.adopt(&held);
                if owner_gone || self.last_attempt == Some(intent.attempt) {
                    return self.take_over(held, now);
                }
                let delay = self.policy.poll_first;
                State::Observing(Observed {
                    base: held,
                    attempt: intent.attempt,
                    first_seen: now.mono,
                    until: now.mono + delay,
                    delay,
                })
            }
        }
    }

    fn adopt(&mut self, held: &Refreshable) {
        let known = self.shown.as_ref().map(|(_, generation)| *generation);
        if known.is_some_and(|known| known < held.generation) {
            self.report(Report::Adopted {
                generation: held.generation,
            });
        }
        let same_pair = self.shown.as_ref().is_some_and(|(pair, generation)| {
            *generation == held.generation && pair.access_token() == held.pair.access_token()
        });
        if !same_pair {
            // Another pair, perhaps of another sign-in: nobody has refused it yet.
            self.refused = None;
        }
        self.show(held);
    }

    pub(super) fn over(&mut self, reason: EndReason, now: Now) -> State {
        self.shown = None;
        self.refused = None;
        self.doubtful = 0;
        self.failures = 0;
        if self.reported_end.replace(reason) != Some(reason) && reason != EndReason::Absent {
            self.report(Report::Ended { reason });
        }
        State::Over {
            reason,
            seen: now.mono,
        }
    }

    fn polled(&mut self, observed: Observed, found: Found, owner_gone: bool, now: Now) -> State {
        match found {
            Found::Refreshing { held, intent }
                if intent.attempt == observed.attempt && !owner_gone =>
            {
                let delay = (observed.delay * 2).min(self.policy.poll_max);
                State::Observing(Observed {
                    base: held,
                    until: now.mono + delay,
                    delay,
                    ..observed
                })
            }
            other @ (Found::Idle { .. } | Found::Refreshing { .. } | Found::Over(_)) => {
                self.found(other, owner_gone, now)
            }
        }
    }

    fn confirm_claim(&mut self, claim: Claim, found: Found, owner_gone: bool, now: Now) -> State {
        match found {
            Found::Refreshing { held, intent } if intent.attempt == claim.attempt => {
                self.send(claim, held.version, now)
            }
            // Not written.
            other if other.is_still(claim.base.version) => {
                self.try_again(claim.base, Trouble::Store, now)
            }
            other @ (Found::Idle { .. } | Found::Refreshing { .. } | Found::Over(_)) => {
                self.found(other, owner_gone, now)
            }
        }
    }

    fn confirm_commit(
        &mut self,
        commit: Commit,
        found: Found,
        owner_gone: bool,
        now: Now,
    ) -> State {
        let attempt = commit.claim.attempt;
        let chain = commit.claim.base.chain;
        match found {
            Found::Idle {
                held,
                committed_by: Some(by),
            } if by == attempt => self.committed(commit, held.version, now),
            // Invariant 2: a late owner whose intent still stands must commit.
            Found::Refreshing { held, intent } if intent.attempt == attempt => {
                self.save_commit(commit, held.version)
            }
            // Taken over: the other attempt has got, or will get, the pair of the same chain.
            Found::Idle { held, committed_by } if held.chain == chain => {
                self.found(Found::Idle { held, committed_by }, owner_gone, now)
            }
            Found::Refreshing { held, intent } if held.chain == chain => {
                self.found(Found::Refreshing { held, intent }, owner_gone, now)
            }
            // Invariant 3: signed out or replaced meanwhile. Nobody will ever use this pair.
            other @ (Found::Idle { .. } | Found::Refreshing { .. } | Found::Over(_)) => {
                self.revoke_orphan(&commit);
                self.found(other, owner_gone, now)
            }
        }
    }

    fn confirm_end(&mut self, end: End, found: Found, owner_gone: bool, now: Now) -> State {
        match found {
            // Not written.
            other if other.is_still(end.base.version) => self.end(end, now),
            other @ (Found::Idle { .. } | Found::Refreshing { .. } | Found::Over(_)) => {
                self.found(other, owner_gone, now)
            }
        }
    }
}
