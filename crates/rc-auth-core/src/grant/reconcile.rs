//! What a read of the record means, by why it was read.

use std::time::Duration;

use super::{
    EndReason, GrantMachine, Intent, LoadFailure, Loaded, RecordVersion, Report, Trouble,
    machine::UnexpectedInput,
    state::{Claim, Commit, End, Found, Observed, Purpose, Refreshable, State, Wait},
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
            Ok(Loaded { held, silent_for }) => {
                let read = self.read(purpose, held.into(), silent_for, now);
                self.look_again(read)
            }
        };
        Ok(())
    }

    /// A read or a write that took long may be older than what was heard meanwhile: nobody watches or waits with it.
    pub(super) fn look_again(&mut self, read: State) -> State {
        match read {
            State::Observing(observed) if self.heard_otherwise(Some(observed.base.version)) => {
                self.load(Purpose::Poll(observed))
            }
            State::Waiting(wait) if self.heard_otherwise(Some(wait.held.version)) => {
                self.load(Purpose::Recheck(wait))
            }
            other => other,
        }
    }

    fn store_down(&mut self, resume: Purpose, failure: LoadFailure, now: Now) -> State {
        let trouble = match failure {
            LoadFailure::Unavailable => Trouble::Store,
            LoadFailure::Unreadable => Trouble::Record,
        };
        self.report(Report::Delayed {
            trouble: trouble.clone(),
        });
        let until = now.mono + self.next_store_pause();
        State::StoreDown {
            resume,
            until,
            trouble,
        }
    }

    fn read(&mut self, purpose: Purpose, found: Found, silent_for: Duration, now: Now) -> State {
        match purpose {
            Purpose::Look => self.found(found, silent_for, now),
            // Not sooner because somebody told of a write that is our own.
            Purpose::Recheck(wait) => self.rechecked(wait, found, silent_for, now),
            Purpose::Poll(observed) => self.polled(observed, found, silent_for, now),
            Purpose::ConfirmClaim(claim) => self.confirm_claim(claim, found, silent_for, now),
            Purpose::ConfirmCommit(commit) => self.confirm_commit(commit, found, silent_for, now),
            Purpose::ConfirmEnd(end) => self.confirm_end(end, found, silent_for, now),
        }
    }

    /// What was waited with still stands, or an intent of ours does whose write was in doubt: the wait goes
    /// on.
    fn rechecked(&mut self, mut wait: Wait, found: Found, silent_for: Duration, now: Now) -> State {
        let goes_on = match &found {
            Found::Refreshing { held, intent } if self.own_attempt(intent.attempt).is_some() => {
                wait.held.version = held.version;
                true
            }
            other => other.is_still(wait.held.version),
        };
        if !goes_on {
            return self.found(found, silent_for, now);
        }
        self.is_overtaken = false;
        if now.mono >= wait.until {
            return self.approach(wait.held, wait.last_chance, now);
        }
        State::Waiting(wait)
    }

    pub(super) fn found(&mut self, found: Found, silent_for: Duration, now: Now) -> State {
        match found {
            Found::Over { reason, version } => self.over(reason, version, now),
            Found::Idle(held) => {
                self.failures = 0;
                self.adopt(&held);
                self.settle(held, now)
            }
            Found::Refreshing { held, intent } => {
                self.adopt(&held);
                let own = self.own_attempt(intent.attempt);
                let observed = self.observe(held, intent, silent_for, now);
                let is_gone = now.mono >= observed.gone_at;
                // What is left of a pause is kept: it was the server's. One that was waited out is over.
                let known_gone = own.is_some() || silent_for == Duration::MAX;
                let pause = intent.pause.filter(|_| known_gone);
                if own.is_some() || is_gone {
                    let intent = Intent {
                        answered: intent.answered || own.is_some_and(|own| !own.was_sent),
                        pause,
                        ..intent
                    };
                    return self.take_over(observed.base, intent, now);
                }
                State::Observing(observed)
            }
        }
    }

    /// Begins to watch an intent that has been seen for `silent_for` without a change.
    fn observe(
        &self,
        base: Refreshable,
        intent: Intent,
        silent_for: Duration,
        now: Now,
    ) -> Observed {
        let pause = intent.pause.map(|pause| {
            let seen = pause.length().saturating_sub(silent_for);
            seen.min(pause.left(now.wall))
        });
        let gone_at = now.mono + self.policy.owner_gone_in(&intent, silent_for, now.wall);
        let delay = self.policy.poll_first;
        Observed {
            base,
            intent,
            gone_at,
            pause_ends: pause
                .filter(|left| !left.is_zero())
                .map(|left| now.mono + left),
            until: (now.mono + delay).min(gone_at),
            delay,
        }
    }

    /// Somebody's intent stands and they are gone: the token may have been presented, unless they wrote
    /// down that it was not exchanged.
    pub(super) fn take_over(&mut self, mut held: Refreshable, intent: Intent, now: Now) -> State {
        self.report(Report::TakenOver);
        if !intent.answered {
            held.unanswered = held.unanswered.saturating_add(1);
            held.first_presented_at = held.first_presented_at.or(Some(now.wall));
            held.first_presented_mono = held.first_presented_mono.or(Some(now.mono));
        }
        let pause = intent.pause.map(|pause| pause.left(now.wall));
        match pause.filter(|left| !left.is_zero()) {
            Some(left) => self.wait(held, now.mono + left, Trouble::EarlierFailure, now),
            None => self.approach(held, false, now),
        }
    }

    fn adopt(&mut self, held: &Refreshable) {
        if self
            .shown_id()
            .is_some_and(|known| held.id.is_newer_than(known))
        {
            self.report(Report::Adopted {
                generation: held.id.generation,
            });
        }
        let same_pair = match &self.shown {
            Some((pair, id)) => *id == held.id && pair.access_token() == held.pair.access_token(),
            None => self.lent == Some(held.id),
        };
        if !same_pair {
            // Another pair, perhaps of another sign-in: nobody has refused it yet.
            self.refused = None;
        }
        self.show(held);
    }

    pub(super) fn over(
        &mut self,
        reason: EndReason,
        version: Option<RecordVersion>,
        now: Now,
    ) -> State {
        self.shown = None;
        self.lent = None;
        self.is_overtaken = false;
        self.shown_about = None;
        self.refused = None;
        self.doubtful = 0;
        self.failures = 0;
        if self.heard_otherwise(version) {
            return self.look();
        }
        if reason != EndReason::Absent {
            // The record says it better.
            self.signed_out = None;
        }
        if self.reported_end.replace(reason) != Some(reason) && reason != EndReason::Absent {
            self.report(Report::Ended { reason });
        }
        State::Over {
            reason,
            version,
            seen: now.mono,
        }
    }

    fn polled(
        &mut self,
        observed: Observed,
        found: Found,
        silent_for: Duration,
        now: Now,
    ) -> State {
        match found {
            Found::Refreshing { held, .. }
                if held.version == observed.base.version
                    && now.mono < observed.gone_at
                    && silent_for != Duration::MAX =>
            {
                let delay = (observed.delay * 2).min(self.policy.poll_max);
                State::Observing(Observed {
                    until: (now.mono + delay).min(observed.gone_at),
                    delay,
                    ..observed
                })
            }
            Found::Refreshing { held, intent } if held.version == observed.base.version => {
                let pause = intent.pause.filter(|_| silent_for == Duration::MAX);
                self.take_over(held, Intent { pause, ..intent }, now)
            }
            // The same owner is at work: watched as slowly as before, and from now on.
            Found::Refreshing { held, intent } if intent.attempt == observed.intent.attempt => {
                let delay = observed.delay;
                match self.found(Found::Refreshing { held, intent }, silent_for, now) {
                    State::Observing(renewed) => State::Observing(Observed {
                        until: (now.mono + delay).min(renewed.gone_at),
                        delay,
                        ..renewed
                    }),
                    other => other,
                }
            }
            other @ (Found::Idle(_) | Found::Refreshing { .. } | Found::Over { .. }) => {
                self.found(other, silent_for, now)
            }
        }
    }

    fn confirm_claim(
        &mut self,
        claim: Claim,
        found: Found,
        silent_for: Duration,
        now: Now,
    ) -> State {
        match found {
            Found::Refreshing { held, intent } if intent.attempt == claim.attempt => {
                self.send(claim, held.version, now)
            }
            // Not written.
            other if other.is_still(claim.base.version) => self.store_failed(claim.base, now),
            other @ (Found::Idle(_) | Found::Refreshing { .. } | Found::Over { .. }) => {
                self.found(other, silent_for, now)
            }
        }
    }

    fn confirm_commit(
        &mut self,
        commit: Commit,
        found: Found,
        silent_for: Duration,
        now: Now,
    ) -> State {
        let attempt = commit.claim.attempt;
        let chain = commit.claim.base.id.chain;
        match found {
            Found::Idle(held) if held.committed_by == Some(attempt) => self.committed(held, now),
            // Invariant 2: a late owner whose intent still stands must commit.
            Found::Refreshing { held, intent } if intent.attempt == attempt => {
                self.save_commit(commit, held.version)
            }
            // Taken over: the other attempt has got, or will get, the pair of the same chain.
            Found::Idle(held) if held.id.chain == chain => {
                self.found(Found::Idle(held), silent_for, now)
            }
            Found::Refreshing { held, intent } if held.id.chain == chain => {
                self.found(Found::Refreshing { held, intent }, silent_for, now)
            }
            // Invariant 3: signed out or replaced meanwhile. Nobody will ever use this pair.
            other @ (Found::Idle(_) | Found::Refreshing { .. } | Found::Over { .. }) => {
                self.revoke_orphan(&commit);
                self.found(other, silent_for, now)
            }
        }
    }

    fn confirm_end(&mut self, end: End, found: Found, silent_for: Duration, now: Now) -> State {
        match found {
            // Not written.
            other if other.is_still(end.base.version) => self.end(end, now),
            other @ (Found::Idle(_) | Found::Refreshing { .. } | Found::Over { .. }) => {
                self.found(other, silent_for, now)
            }
        }
    }

    /// What the machine waits with, after its cause was heard of again.
    pub(super) fn recheck_wait(&mut self, wait: Wait) -> State {
        self.load(Purpose::Recheck(wait))
    }
}
