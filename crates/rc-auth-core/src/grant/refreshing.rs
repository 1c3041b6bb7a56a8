//! One refresh: gate, intent, request, answer, commit.

use super::{
    AttemptId, EndReason, Gate, GrantMachine, Output, Pause, RecordState, RecordVersion,
    RefreshPolicy, RefreshReplay, Reply, Report, SaveFailure, TokenPair, Trouble,
    machine::{Heard, UnexpectedInput},
    state::{Claim, Commit, Delay, End, Flight, Purpose, Refreshable, Renewal, State},
};
use crate::{DEFAULT_PENALTY, Endpoint, Now, Refusal, TokenError, TokenSet, Verdict, wire};

impl GrantMachine {
    pub(super) fn gate(&mut self, gate: Gate, now: Now) -> Result<(), UnexpectedInput> {
        let held = match self.take_state() {
            State::AtGate(held) => held,
            other => {
                self.state = other;
                return Err(UnexpectedInput);
            }
        };
        self.state = match gate {
            Gate::ClosedUntil(until) => self.wait(held, until, Trouble::RateLimited, now),
            Gate::Open(entropy) => {
                let attempt = AttemptId::new(*entropy.bytes());
                self.claim(Claim {
                    base: held,
                    attempt,
                    since: now,
                })
            }
        };
        Ok(())
    }

    /// Invariant 2: the intent is written before anything is sent. It is due before every clock, so that
    /// whoever looks for work finds it first.
    fn claim(&mut self, claim: Claim) -> State {
        self.remember_attempt(claim.attempt);
        self.outputs.push_back(Output::Save {
            record: Box::new(claim.record()),
            due: RefreshPolicy::INTENT_DUE,
            expect: claim.base.version,
        });
        State::Claiming(claim)
    }

    /// Writes the intent once more, so that others see that its owner is at work.
    pub(super) fn renew(&mut self, mut flight: Flight, now: Now) -> State {
        flight.renewals = flight.renewals.saturating_add(1);
        flight.renewal = Renewal::Saving(now.mono);
        self.outputs.push_back(Output::Save {
            record: Box::new(flight.claim.renewed(flight.renewals)),
            due: RefreshPolicy::INTENT_DUE,
            expect: flight.version,
        });
        State::Sending(flight)
    }

    pub(super) fn saved(
        &mut self,
        saved: Result<RecordVersion, SaveFailure>,
        now: Now,
    ) -> Result<(), UnexpectedInput> {
        let state = match (self.take_state(), saved) {
            (State::Claiming(claim), Ok(version)) => self.send(claim, version, now),
            (State::Sending(mut flight), saved) if flight.is_renewing() => {
                self.renewed(&mut flight, saved);
                State::Sending(flight)
            }
            (State::Arrived(mut flight, reply), saved) => {
                self.renewed(&mut flight, saved);
                self.judge(flight, reply, now)
            }
            (State::Noting(mut wait), Ok(version)) => {
                wait.held.version = version;
                State::Waiting(wait)
            }
            // If it was written after all, the next intent meets a conflict and reads it.
            (State::Noting(wait), Err(SaveFailure::OutcomeUnknown)) => State::Waiting(wait),
            (State::NotingUse(mut held), Ok(version)) => {
                held.version = version;
                self.settle(held, now)
            }
            (State::NotingUse(_), Err(SaveFailure::OutcomeUnknown)) => self.look(),
            // Ours may stand all the same, where the outcome of an earlier write was unknown.
            (State::Noting(wait), Err(SaveFailure::Conflict)) => {
                self.report(Report::Conflict);
                self.recheck_wait(wait)
            }
            (
                State::Claiming(_) | State::NotingUse(_) | State::Ending(_),
                Err(SaveFailure::Conflict),
            ) => {
                self.report(Report::Conflict);
                self.look()
            }
            (State::Claiming(claim), Err(SaveFailure::OutcomeUnknown)) => {
                self.confirm(Purpose::ConfirmClaim(claim), now)
            }
            (State::Committing(commit), Ok(version)) => self.committed(commit.saved(version), now),
            (State::Committing(commit), Err(failure)) => {
                if failure == SaveFailure::Conflict {
                    self.report(Report::Conflict);
                }
                self.confirm(Purpose::ConfirmCommit(commit), now)
            }
            (State::Ending(end), Ok(version)) => self.over(end.reason, Some(version), now),
            (State::Ending(end), Err(SaveFailure::OutcomeUnknown)) => {
                self.confirm(Purpose::ConfirmEnd(end), now)
            }
            (other, Ok(_) | Err(_)) => {
                self.state = other;
                return Err(UnexpectedInput);
            }
        };
        // What was heard while it was written is not waited with.
        self.state = self.look_again(state);
        Ok(())
    }

    fn renewed(&mut self, flight: &mut Flight, saved: Result<RecordVersion, SaveFailure>) {
        match (flight.renewal, saved) {
            (Renewal::Saving(began), Ok(version)) => {
                flight.version = version;
                flight.written = began;
                flight.renewal = Renewal::Idle;
            }
            (Renewal::Saving(_) | Renewal::Idle | Renewal::Stopped, Err(failure)) => {
                if failure == SaveFailure::Conflict {
                    self.report(Report::Conflict);
                    self.is_overtaken = true;
                }
                flight.renewal = Renewal::Stopped;
            }
            (Renewal::Idle | Renewal::Stopped, Ok(_)) => {}
        }
    }

    /// Reads what became of a write. At once after a first doubtful one; after more in a row, the store
    /// can be read and not written, and a pause comes first.
    fn confirm(&mut self, purpose: Purpose, now: Now) -> State {
        let nth = self.doubtful;
        self.doubtful = nth.saturating_add(1);
        let Some(nth) = nth.checked_sub(1) else {
            return self.load(purpose);
        };
        self.report(Report::Delayed {
            trouble: Trouble::Store,
        });
        State::StoreDown {
            resume: purpose,
            until: now.mono + self.store_pause(nth),
            trouble: Trouble::Store,
        }
    }

    /// The intent stands: the request may go, unless writing the intent took so long that others may soon
    /// count this process as gone.
    pub(super) fn send(&mut self, claim: Claim, version: RecordVersion, now: Now) -> State {
        self.doubtful = 0;
        let base = |claim: Claim| Refreshable {
            version,
            owns_intent: true,
            ..claim.base
        };
        if now.mono >= claim.since.mono + self.policy.send_within() {
            return self.store_failed(base(claim), now);
        }
        let Some(refresh_token) = claim.base.pair.refresh_token() else {
            // No claim is made for a pair without one.
            return State::Settled(base(claim));
        };
        self.outputs.push_back(Output::Send {
            request: Box::new(wire::refresh_request(&self.app, refresh_token)),
            timeout: self.policy.request_timeout,
        });
        // Heard while the intent was being written, which may take seconds.
        let heard = self.heard;
        self.is_overtaken |= heard != Heard::Nothing && heard != Heard::Version(Some(version));
        for own in &mut self.own_attempts {
            own.was_sent |= own.id == claim.attempt;
        }
        if self.policy.budget.per_grant().is_some() {
            self.sent.push_back(now.mono);
        }
        State::Sending(Flight {
            written: claim.since.mono,
            claim,
            version,
            renewals: 0,
            renewal: Renewal::Idle,
        })
    }

    pub(super) fn answered(&mut self, reply: Reply, now: Now) -> Result<(), UnexpectedInput> {
        self.state = match self.take_state() {
            // Which version the record has shows only when the renewal is answered.
            State::Sending(flight) if flight.is_renewing() => State::Arrived(flight, reply),
            State::Sending(flight) => self.judge(flight, reply, now),
            other => {
                self.state = other;
                return Err(UnexpectedInput);
            }
        };
        Ok(())
    }

    fn judge(&mut self, flight: Flight, reply: Reply, now: Now) -> State {
        let Flight { claim, version, .. } = flight;
        match reply {
            Reply::NotSent => {
                let delay = self.back_off(self.policy.retry_first);
                self.failed(claim, version, true, delay, Trouble::Unreachable, now)
            }
            Reply::MaybeSent => self.unanswered(claim, version, Trouble::NoAnswer, now),
            Reply::Response(response) => match TokenSet::from_response(&response, now.wall) {
                Ok(tokens) => {
                    let pair = claim.base.pair.refreshed(tokens);
                    self.save_commit(Commit { claim, pair }, version)
                }
                Err(TokenError::Unreadable { .. }) => {
                    self.unanswered(claim, version, Trouble::Unreadable, now)
                }
                Err(TokenError::Refused(refusal)) => self.refusal(claim, version, refusal, now),
            },
        }
    }

    fn unanswered(
        &mut self,
        claim: Claim,
        version: RecordVersion,
        trouble: Trouble,
        now: Now,
    ) -> State {
        let delay = self.back_off(self.policy.retry_first);
        self.failed(claim, version, false, delay, trouble, now)
    }

    fn try_again(&mut self, held: Refreshable, trouble: Trouble, now: Now) -> State {
        let until = now.mono + self.next_delay(self.policy.retry_first);
        self.wait(held, until, trouble, now)
    }

    /// The store has failed, and with it this try.
    pub(super) fn store_failed(&mut self, held: Refreshable, now: Now) -> State {
        let until = now.mono + self.next_store_pause();
        self.wait(held, until, Trouble::Store, now)
    }

    fn refusal(
        &mut self,
        claim: Claim,
        version: RecordVersion,
        refusal: Refusal,
        now: Now,
    ) -> State {
        if refusal.ends_grant() {
            let held = Refreshable {
                version,
                ..claim.base
            };
            let strict = self.policy.replay == RefreshReplay::None;
            let lost = strict && held.unanswered > 0;
            let reason = if lost {
                EndReason::Indeterminate
            } else {
                EndReason::TokenDead
            };
            // The compare-and-swap of the end is the re-read: it fails if anybody wrote meanwhile.
            return self.end(End { base: held, reason }, now);
        }
        let verdict = refusal.verdict(Endpoint::Token);
        let delay = self.delay_of(verdict);
        let trouble = Trouble::Refused {
            refusal: Box::new(refusal),
            verdict,
        };
        // A server in trouble may have carried the request out before it said so.
        let answered = !matches!(verdict, Verdict::BackOff { .. })
            || self.policy.replay == RefreshReplay::None;
        self.failed(claim, version, answered, delay, trouble, now)
    }

    /// A try that failed, and the pause before the next one. `answered`: the server still has the token as
    /// it was, so whoever takes over counts no presentation.
    ///
    /// The pause is written down where others would take its owner for gone before it ends, and always
    /// where every presentation counts.
    fn failed(
        &mut self,
        claim: Claim,
        version: RecordVersion,
        answered: bool,
        delay: Delay,
        trouble: Trouble,
        now: Now,
    ) -> State {
        let mut held = Refreshable {
            version,
            owns_intent: true,
            ..claim.base.clone()
        };
        if !answered {
            held.unanswered = held.unanswered.saturating_add(1);
            held.first_presented_at = Some(claim.presented_at());
            held.first_presented_mono = held.first_presented_mono.or(Some(claim.since.mono));
        }
        self.report(Report::Delayed {
            trouble: trouble.clone(),
        });
        let ends = (now.mono + delay.length, now.mono + delay.if_asked);
        let wait = self.wait_for(held, ends, trouble, now);
        let length = wait.until.saturating_sub(now.mono);
        let strict = self.policy.replay == RefreshReplay::None;
        if !strict && length < self.policy.renew_every {
            return self.look_again(State::Waiting(wait));
        }
        let pause = Pause {
            millis: u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
            until: now.wall.saturating_add(length),
        };
        self.outputs.push_back(Output::Save {
            record: Box::new(claim.note(answered, pause)),
            due: RefreshPolicy::INTENT_DUE,
            expect: version,
        });
        State::Noting(wait)
    }

    fn delay_of(&mut self, verdict: Verdict) -> Delay {
        match verdict {
            Verdict::Wait { retry_after } => {
                self.failures = self.failures.saturating_add(1);
                let delay = retry_after.unwrap_or(DEFAULT_PENALTY);
                Delay::fixed(delay.max(self.policy.retry_first))
            }
            Verdict::BackOff { retry_after } => {
                let delay = self.back_off(self.policy.trouble_first);
                retry_after.map_or(delay, |after| {
                    Delay::fixed(after.max(self.policy.retry_first))
                })
            }
            // A person has to do something first.
            Verdict::FixApp
            | Verdict::Permission
            | Verdict::Bug
            | Verdict::SignInAgain
            | Verdict::RefreshAndRetry => {
                self.failures = self.failures.saturating_add(1);
                Delay::fixed(self.policy.retry_max)
            }
        }
    }

    pub(super) fn save_commit(&mut self, commit: Commit, expect: RecordVersion) -> State {
        self.outputs.push_back(Output::Save {
            record: Box::new(commit.record()),
            due: self.policy.due_at(&commit.pair, &commit.claim.base.about),
            expect,
        });
        State::Committing(commit)
    }

    /// Invariant 1: the pair is in the store, so it may be used. `held` is what stands there.
    pub(super) fn committed(&mut self, held: Refreshable, now: Now) -> State {
        self.doubtful = 0;
        let failures = self.failures;
        self.report(Report::Refreshed {
            generation: held.id.generation,
            failures,
        });
        self.refused = None;
        self.show(&held);
        if held.pair.access_token().is_none() || held.pair.access_lifetime().is_zero() {
            // The answer had a refresh token only, or an access token that ended on arrival, as one has that
            // is repeated late. The pair is kept; the next try must not come at once, and what failed before
            // this answer does not count.
            self.failures = self.useless_answers;
            self.useless_answers = self.useless_answers.saturating_add(1);
            return self.try_again(held, Trouble::Unreadable, now);
        }
        self.failures = 0;
        self.useless_answers = 0;
        self.settle(held, now)
    }

    pub(super) fn end(&mut self, end: End, now: Now) -> State {
        self.outputs.push_back(Output::Save {
            record: Box::new(end.base.record(RecordState::Ended { reason: end.reason })),
            due: now.wall.saturating_add(self.policy.keep_ended),
            expect: end.base.version,
        });
        State::Ending(end)
    }

    /// Revokes a pair that arrived and can never be saved. Only what is new in it: a refresh token that
    /// was kept from the old pair belongs to whoever replaced that.
    pub(super) fn revoke_orphan(&mut self, commit: &Commit) {
        let new = |token, old: Option<&crate::Secret>| (token != old).then_some(token).flatten();
        let old: &TokenPair = &commit.claim.base.pair;
        let token = new(commit.pair.refresh_token(), old.refresh_token())
            .or_else(|| new(commit.pair.access_token(), old.access_token()));
        if let Some(token) = token {
            self.outputs.push_back(Output::Revoke {
                token: token.clone(),
            });
        }
    }
}
