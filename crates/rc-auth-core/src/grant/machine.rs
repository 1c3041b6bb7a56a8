//! The machine: what comes in from outside, and when a refresh begins.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::{
    AttemptId, EndReason, Generation, Input, Output, Phase, RefreshPolicy, RefreshReplay, Report,
    TokenPair, Trouble, View, Want,
    state::{End, Observed, Purpose, Refreshable, State},
};
use crate::{App, Entropy, Now};

/// The life of one grant in one process.
///
/// [`Self::handle_input`] takes what happened, [`Self::poll_output`] gives what to do,
/// [`Self::next_timeout`] says when to call again although nothing happened. After every input,
/// outputs are to be taken until there are none: *drain after input*.
///
/// The machine keeps these rules, whatever order inputs come in:
///
/// 1. *Saved before used.* A pair is shown by [`Self::view`] only once it is in the store.
/// 2. *Intent before send.* A token request is put out only after the intent was saved and while its
///    lease is fresh. Versions decide who may write, never clocks.
/// 3. *Losers only read.* After a conflict the record is read and adopted. A pair that cannot be saved
///    because the grant was signed out or replaced is revoked.
/// 4. *A 401 names its generation.* One that names an older generation than the record's costs nothing.
/// 5. *Dead only by code.* Nothing but [`Refusal::ends_grant`](crate::Refusal::ends_grant) ends a grant
///    on a server that repeats its answers.
/// 6. *Sign-out is final.* No input brings back a record that says it is signed out.
/// 7. *One refresh in flight.* There is one outstanding request at most.
/// 8. *The old refresh token stays* when an answer omits a new one.
#[derive(Debug)]
pub struct GrantMachine {
    pub(super) app: Arc<App>,
    pub(super) policy: Arc<RefreshPolicy>,
    pub(super) state: State,
    pub(super) outputs: VecDeque<Output>,
    /// The newest pair known to be in the store.
    pub(super) shown: Option<(TokenPair, Generation)>,
    /// The generation whose access token a resource has refused.
    pub(super) refused: Option<Generation>,
    /// What is wanted and not yet begun.
    wants: Wants,
    /// This process has signed the grant out.
    pub(super) signed_out: bool,
    /// The record has to be read again before anything is begun.
    recheck: bool,
    /// The last intent that this machine wrote.
    pub(super) last_attempt: Option<AttemptId>,
    /// The end that was reported last.
    pub(super) reported_end: Option<EndReason>,
    /// Tries that failed since the last success.
    pub(super) failures: u32,
    /// Writes in a row whose outcome is unknown.
    pub(super) doubtful: u32,
    /// When the last token requests were sent (monotonic).
    pub(super) sent: VecDeque<Duration>,
    seed: u64,
}

#[derive(Debug, Default)]
struct Wants {
    usable: bool,
    care: bool,
    newer_than: Option<Generation>,
}

/// An answer to something that was not asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the driver gave an answer to an output that is not outstanding")]
pub struct UnexpectedInput;

impl GrantMachine {
    /// A machine that knows nothing yet. `seed` spreads its delays; it is no secret.
    #[must_use]
    pub fn new(app: Arc<App>, policy: Arc<RefreshPolicy>, seed: &Entropy<8>) -> Self {
        Self {
            app,
            policy,
            state: State::Unknown,
            outputs: VecDeque::new(),
            shown: None,
            refused: None,
            wants: Wants::default(),
            signed_out: false,
            recheck: false,
            last_attempt: None,
            reported_end: None,
            failures: 0,
            doubtful: 0,
            sent: VecDeque::new(),
            seed: u64::from_le_bytes(*seed.bytes()),
        }
    }

    /// Takes something that happened.
    ///
    /// # Errors
    ///
    /// [`UnexpectedInput`] for an answer to an output that is not outstanding; nothing changes then.
    pub fn handle_input(&mut self, input: Input, now: Now) -> Result<(), UnexpectedInput> {
        match input {
            Input::Want(want) => self.want(want, now),
            Input::Refused(generation) => self.note_refusal(generation),
            Input::Changed => self.changed(),
            Input::SignedOut => {
                self.signed_out = true;
                self.changed();
            }
            Input::Timeout => self.timeout(now),
            Input::Loaded(loaded) => return self.loaded(loaded, now),
            Input::Saved(saved) => return self.saved(saved, now),
            Input::Gate(gate) => return self.gate(gate, now),
            Input::Answered(reply) => return self.answered(reply, now),
        }
        Ok(())
    }

    /// The next thing to do, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// When [`Input::Timeout`] is wanted (monotonic). May change with every input.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::StoreDown { until, .. }
            | State::Waiting { until, .. }
            | State::Observing(Observed { until, .. }) => Some(*until),
            State::Unknown
            | State::Loading(_)
            | State::Settled(_)
            | State::AtGate(_)
            | State::Claiming(_)
            | State::Sending(..)
            | State::Committing(_)
            | State::Ending(_)
            | State::Over { .. } => None,
        }
    }

    /// Whether the machine holds a pair that is not in the store yet. A driver that stops now loses it.
    #[must_use]
    pub const fn holds_unsaved_pair(&self) -> bool {
        matches!(
            &self.state,
            State::Committing(_)
                | State::Loading(Purpose::ConfirmCommit(_))
                | State::StoreDown {
                    resume: Purpose::ConfirmCommit(_),
                    ..
                }
        )
    }

    /// What can be seen of the grant.
    #[must_use]
    pub fn view(&self, now: Now) -> View<'_> {
        let shown = self.shown.as_ref().filter(|_| !self.signed_out);
        let pair = shown.map(|(pair, generation)| (pair, *generation));
        let refused = pair.is_some_and(|(_, generation)| self.refused == Some(generation));
        View {
            pair,
            refused,
            phase: self.phase(now),
        }
    }

    fn phase(&self, now: Now) -> Phase<'_> {
        if self.signed_out {
            return Phase::Over(EndReason::SignedOut);
        }
        match &self.state {
            State::Unknown => Phase::Unknown,
            State::Settled(held) if self.is_spent(held, now) => {
                Phase::Over(EndReason::NotRefreshable)
            }
            State::Settled(_) => Phase::Idle,
            State::Waiting { until, trouble, .. } | State::StoreDown { until, trouble, .. } => {
                Phase::Waiting {
                    until: *until,
                    trouble,
                }
            }
            State::Over { reason, .. } => Phase::Over(*reason),
            State::Loading(_)
            | State::AtGate(_)
            | State::Claiming(_)
            | State::Sending(..)
            | State::Committing(_)
            | State::Ending(_)
            | State::Observing(_) => Phase::Busy,
        }
    }

    /// Whether the access token is of no use any more and nothing can replace it.
    fn is_spent(&self, held: &Refreshable, now: Now) -> bool {
        let dead =
            self.refused == Some(held.generation) || now.wall >= held.pair.access_expires_at();
        held.pair.refresh_token().is_none() && dead
    }

    /// From when the pair's access token is refreshed in the background.
    #[must_use]
    pub fn early_at(&self, pair: &TokenPair, generation: Generation) -> crate::Timestamp {
        let [jitter, ..] = self
            .seed
            .wrapping_add(generation.get())
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .to_be_bytes();
        self.policy.early_at(pair, jitter)
    }

    fn want(&mut self, want: Want, now: Now) {
        match want {
            Want::Status => {}
            Want::Usable => self.wants.usable = true,
            Want::Care => self.wants.care = true,
            Want::NewerThan(generation) => {
                self.wants.newer_than = self.wants.newer_than.max(Some(generation));
            }
        }
        self.state = match self.take_state() {
            State::Unknown => self.look(),
            State::Settled(held) => self.settle(held, now),
            State::Waiting { held, until, .. } if now.mono >= until => self.approach(held, now),
            State::StoreDown { resume, until, .. } if now.mono >= until => self.load(resume),
            State::Over { seen, .. } if now.mono >= seen + self.policy.look_again => self.look(),
            other => other,
        };
    }

    fn note_refusal(&mut self, generation: Generation) {
        // Invariant 4: a 401 of an older generation says nothing about the pair held.
        if self
            .shown
            .as_ref()
            .is_some_and(|(_, held)| *held == generation)
        {
            self.refused = Some(generation);
        }
    }

    fn changed(&mut self) {
        self.state = match self.take_state() {
            State::Settled(_) | State::Over { .. } => self.look(),
            State::Waiting {
                held,
                until,
                trouble,
            } => self.load(Purpose::Recheck {
                held,
                until,
                trouble,
            }),
            State::Observing(observed) => self.load(Purpose::Poll(observed)),
            // The compare-and-swap of what is in flight will tell; a read may be too old already.
            busy => {
                self.recheck = !matches!(busy, State::Unknown);
                busy
            }
        };
    }

    fn timeout(&mut self, now: Now) {
        self.state = match self.take_state() {
            State::Waiting { held, until, .. } if now.mono >= until => self.approach(held, now),
            State::StoreDown { resume, until, .. } if now.mono >= until => self.load(resume),
            State::Observing(observed) if now.mono >= observed.until => {
                if now.mono >= observed.first_seen + self.policy.intent_deadline {
                    self.take_over(observed.base, now)
                } else {
                    self.load(Purpose::Poll(observed))
                }
            }
            // Early timeouts are harmless.
            other => other,
        };
    }

    pub(super) fn take_state(&mut self) -> State {
        mem::replace(&mut self.state, State::Unknown)
    }

    pub(super) fn load(&mut self, purpose: Purpose) -> State {
        self.outputs.push_back(Output::Load);
        State::Loading(purpose)
    }

    pub(super) fn look(&mut self) -> State {
        self.load(Purpose::Look)
    }

    pub(super) fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }

    pub(super) fn show(&mut self, held: &Refreshable) {
        self.shown = Some((held.pair.clone(), held.generation));
        self.reported_end = None;
        // What was read or written before the sign-out does not take it back.
        self.signed_out &= self.recheck;
    }

    /// The record is idle and `held` is in it: begins what is wanted.
    pub(super) fn settle(&mut self, held: Refreshable, now: Now) -> State {
        if mem::take(&mut self.recheck) {
            return self.look();
        }
        let wanted = self.needs_refresh(&held, now) && held.pair.refresh_token().is_some();
        self.wants = Wants::default();
        if wanted {
            self.approach(held, now)
        } else {
            State::Settled(held)
        }
    }

    fn needs_refresh(&self, held: &Refreshable, now: Now) -> bool {
        let pair = &held.pair;
        let is_old = self
            .wants
            .newer_than
            .is_some_and(|generation| held.generation <= generation);
        let is_unusable = self.refused == Some(held.generation)
            || pair.access_token().is_none()
            || now.wall >= self.early_at(pair, held.generation);
        let is_due = now.wall >= self.policy.keep_alive_at(pair);
        is_old || (self.wants.usable && is_unusable) || (self.wants.care && is_due)
    }

    /// The first step of a refresh: may another token request be made?
    pub(super) fn approach(&mut self, held: Refreshable, now: Now) -> State {
        self.wants = Wants::default();
        if self.policy.replay == RefreshReplay::None && held.unanswered >= 2 {
            // Presented once more already: a third time could be taken for theft.
            return self.end(
                End {
                    base: held,
                    reason: EndReason::Indeterminate,
                },
                now,
            );
        }
        if let Some(rate) = self.policy.budget.per_grant()
            && let Some(slot) = rate.next_slot(&mut self.sent, now.mono)
        {
            return self.wait(held, slot, Trouble::RateLimited);
        }
        self.outputs.push_back(Output::AskGate);
        State::AtGate(held)
    }

    /// Somebody's intent stands and they are gone: the token may have been presented.
    pub(super) fn take_over(&mut self, mut held: Refreshable, now: Now) -> State {
        self.report(Report::TakenOver);
        held.unanswered = held.unanswered.saturating_add(1);
        self.approach(held, now)
    }

    pub(super) fn wait(&mut self, held: Refreshable, until: Duration, trouble: Trouble) -> State {
        self.report(Report::Delayed {
            trouble: trouble.clone(),
        });
        State::Waiting {
            held,
            until,
            trouble,
        }
    }

    /// The delay before the next try: doubled each time from `first`, with jitter, at most `retry_max`
    /// and as much again.
    pub(super) fn next_delay(&mut self, first: Duration) -> Duration {
        let nth = self.failures;
        self.failures = self.failures.saturating_add(1);
        self.delay(first, nth)
    }

    pub(super) fn delay(&self, first: Duration, nth: u32) -> Duration {
        let nth = nth.min(16) as usize;
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(self.policy.retry_max)
            .with_max_times(nth + 1)
            .with_jitter()
            .with_jitter_seed(self.seed.wrapping_add(nth as u64))
            .build()
            .nth(nth)
            .unwrap_or(self.policy.retry_max)
    }
}
