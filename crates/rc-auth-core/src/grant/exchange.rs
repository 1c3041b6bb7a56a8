//! One refresh: gate, intent, request, answer, commit.

use std::time::Duration;

use super::{
    AttemptId, EndReason, Gate, GrantMachine, Output, RecordState, RecordVersion, RefreshReplay,
    Reply, Report, SaveFailure, TokenPair, Trouble,
    machine::UnexpectedInput,
    state::{Claim, Commit, End, Purpose, Refreshable, State},
};
use crate::{Endpoint, Now, RateGate, Refusal, TokenError, TokenSet, Verdict, wire};

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
            Gate::ClosedUntil(until) => self.wait(held, until, Trouble::RateLimited),
            Gate::Open(entropy) => {
                let attempt = AttemptId::new(*entropy.bytes());
                self.claim(
                    Claim {
                        base: held,
                        attempt,
                        since: now.mono,
                    },
                    now,
                )
            }
        };
        Ok(())
    }

    /// Invariant 2: the intent is written before anything is sent.
    fn claim(&mut self, claim: Claim, now: Now) -> State {
        self.last_attempt = Some(claim.attempt);
        self.outputs.push_back(Output::Save {
            record: Box::new(claim.record()),
            due: now.wall.saturating_add(self.policy.intent_deadline),
            expect: claim.base.version,
        });
        State::Claiming(claim)
    }

    pub(super) fn saved(
        &mut self,
        saved: Result<RecordVersion, SaveFailure>,
        now: Now,
    ) -> Result<(), UnexpectedInput> {
        self.state = match (self.take_state(), saved) {
            (State::Claiming(claim), Ok(version)) => self.send(claim, version, now),
            (State::Claiming(_) | State::Ending(_), Err(SaveFailure::Conflict)) => {
                self.report(Report::Conflict);
                self.look()
            }
            (State::Claiming(claim), Err(SaveFailure::OutcomeUnknown)) => {
                self.confirm(Purpose::ConfirmClaim(claim), now)
            }
            (State::Committing(commit), Ok(version)) => self.committed(commit, version, now),
            (State::Committing(commit), Err(failure)) => {
                if failure == SaveFailure::Conflict {
                    self.report(Report::Conflict);
                }
                self.confirm(Purpose::ConfirmCommit(commit), now)
            }
            (State::Ending(end), Ok(_)) => self.over(end.reason, now),
            (State::Ending(end), Err(SaveFailure::OutcomeUnknown)) => {
                self.confirm(Purpose::ConfirmEnd(end), now)
            }
            (other, Ok(_) | Err(_)) => {
                self.state = other;
                return Err(UnexpectedInput);
            }
        };
        Ok(())
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
            until: now.mono + self.delay(self.policy.retry_first, nth),
            trouble: Trouble::Store,
        }
    }

    /// The intent stands: the request may go, unless writing the intent took so long that the answer
    /// could come after its deadline.
    pub(super) fn send(&mut self, claim: Claim, version: RecordVersion, now: Now) -> State {
        self.doubtful = 0;
        if now.mono >= claim.since + self.policy.claim_slack() {
            return self.approach(
                Refreshable {
                    version,
                    ..claim.base
                },
                now,
            );
        }
        let Some(refresh_token) = claim.base.pair.refresh_token() else {
            // No claim is made for a pair without one.
            return State::Settled(Refreshable {
                version,
                ..claim.base
            });
        };
        self.outputs.push_back(Output::Send {
            request: Box::new(wire::refresh_request(&self.app, refresh_token)),
            timeout: self.policy.request_timeout,
        });
        if self.policy.budget.per_grant().is_some() {
            self.sent.push_back(now.mono);
        }
        State::Sending(claim, version)
    }

    pub(super) fn answered(&mut self, reply: Reply, now: Now) -> Result<(), UnexpectedInput> {
        let (claim, version) = match self.take_state() {
            State::Sending(claim, version) => (claim, version),
            other => {
                self.state = other;
                return Err(UnexpectedInput);
            }
        };
        self.state = match reply {
            Reply::NotSent => {
                let held = Refreshable {
                    version,
                    ..claim.base
                };
                self.try_again(held, Trouble::Unreachable, now)
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
        };
        Ok(())
    }

    fn unanswered(
        &mut self,
        claim: Claim,
        version: RecordVersion,
        trouble: Trouble,
        now: Now,
    ) -> State {
        let unanswered = claim.base.unanswered.saturating_add(1);
        self.try_again(
            Refreshable {
                version,
                unanswered,
                ..claim.base
            },
            trouble,
            now,
        )
    }

    pub(super) fn try_again(&mut self, held: Refreshable, trouble: Trouble, now: Now) -> State {
        let until = now.mono + self.next_delay(self.policy.retry_first);
        self.wait(held, until, trouble)
    }

    fn refusal(
        &mut self,
        claim: Claim,
        version: RecordVersion,
        refusal: Refusal,
        now: Now,
    ) -> State {
        let held = Refreshable {
            version,
            ..claim.base
        };
        if refusal.ends_grant() {
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
        self.wait(held, now.mono + delay, trouble)
    }

    fn delay_of(&mut self, verdict: Verdict) -> Duration {
        match verdict {
            Verdict::Wait { retry_after } => {
                self.failures = self.failures.saturating_add(1);
                let delay = retry_after.unwrap_or(RateGate::DEFAULT_PENALTY);
                delay.max(self.policy.retry_first)
            }
            Verdict::BackOff { retry_after } => {
                let delay = self.next_delay(self.policy.trouble_first);
                retry_after.map_or(delay, |after| after.max(self.policy.retry_first))
            }
            // A person has to do something first.
            Verdict::FixApp
            | Verdict::Permission
            | Verdict::Bug
            | Verdict::SignInAgain
            | Verdict::RefreshAndRetry => {
                self.failures = self.failures.saturating_add(1);
                self.policy.retry_max
            }
        }
    }

    pub(super) fn save_commit(&mut self, commit: Commit, expect: RecordVersion) -> State {
        self.outputs.push_back(Output::Save {
            record: Box::new(commit.record()),
            due: self.policy.keep_alive_at(&commit.pair),
            expect,
        });
        State::Committing(commit)
    }

    /// Invariant 1: the pair is in the store, so it may be used.
    pub(super) fn committed(&mut self, commit: Commit, version: RecordVersion, now: Now) -> State {
        self.doubtful = 0;
        let held = commit.saved(version);
        let failures = self.failures;
        self.report(Report::Refreshed {
            generation: held.generation,
            failures,
        });
        self.refused = None;
        self.show(&held);
        if held.pair.access_token().is_none() || held.pair.access_lifetime().is_zero() {
            // The answer had a refresh token only, or an access token that ended on arrival. The pair is
            // kept; the next try must not come at once.
            return self.try_again(held, Trouble::Unreadable, now);
        }
        self.failures = 0;
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
