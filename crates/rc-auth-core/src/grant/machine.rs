//! The machine: what comes in from outside, and when a refresh begins.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::{
    AttemptId, EndReason, Generation, Input, Output, PairId, Phase, RecordVersion, RefreshPolicy,
    RefreshReplay, Report, TokenPair, Trouble, Urgency, View, Want,
    state::{End, Flight, Observed, Purpose, Refreshable, Renewal, State, Wait},
};
use crate::{App, Entropy, Now, Timestamp};

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
/// 4. *A 401 names its pair*, by chain and generation. One that names another pair than the record's costs
///    nothing.
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
    pub(super) shown: Option<(TokenPair, PairId)>,
    /// What the record said besides, when `shown` was read or written.
    pub(super) shown_about: Option<super::About>,
    /// The pair whose access token a resource has refused.
    pub(super) refused: Option<PairId>,
    /// What is wanted and not yet begun.
    wants: Wants,
    /// This process has signed the grant out.
    pub(super) signed_out: bool,
    /// What was heard of the record while something else was in the air.
    heard: Heard,
    /// The last intents that this machine may have written, newest last.
    pub(super) own_attempts: VecDeque<OwnAttempt>,
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
    newer_than: Option<PairId>,
}

/// An intent that this machine may have written.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnAttempt {
    pub(super) id: AttemptId,
    /// Its request was put out.
    pub(super) was_sent: bool,
}

/// What was heard of the record while the machine could not look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Heard {
    /// Nothing.
    #[default]
    Nothing,
    /// That it has this version now; none: that it is gone.
    Version(Option<RecordVersion>),
    /// That it is another one.
    Changed,
}

/// What the machine knows of the record's version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KnownVersion {
    /// Nothing was read yet, so there is nothing to keep up to date.
    Nothing,
    /// This one; none: there is no record.
    At(Option<RecordVersion>),
    /// It is being read or written, or cannot be read.
    InTheAir,
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
            shown_about: None,
            refused: None,
            wants: Wants::default(),
            signed_out: false,
            heard: Heard::Nothing,
            own_attempts: VecDeque::new(),
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
            Input::Refused(pair) => self.note_refusal(pair),
            Input::Changed => self.changed(Heard::Changed),
            Input::ChangedTo(version) => self.changed(Heard::Version(version)),
            Input::SignedOut => {
                // What was never read is not shown, and is read before it is.
                self.signed_out = !matches!(self.state, State::Unknown);
                self.changed(Heard::Changed);
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
            | State::Waiting(Wait { until, .. })
            | State::Observing(Observed { until, .. }) => Some(*until),
            State::Sending(flight) => self.renewal_due(flight),
            State::Unknown
            | State::Loading(_)
            | State::Settled(_)
            | State::NotingUse(_)
            | State::AtGate(_)
            | State::Claiming(_)
            | State::Arrived(..)
            | State::Noting(_)
            | State::Committing(_)
            | State::Ending(_)
            | State::Over { .. } => None,
        }
    }

    /// What is known of the record's version: by it a driver tells news from what is known already.
    #[must_use]
    pub const fn known_version(&self) -> KnownVersion {
        match &self.state {
            State::Unknown => KnownVersion::Nothing,
            State::Settled(held) | State::Waiting(Wait { held, .. }) => {
                KnownVersion::At(Some(held.version))
            }
            State::Observing(observed) => KnownVersion::At(Some(observed.base.version)),
            State::Over { version, .. } => KnownVersion::At(*version),
            State::StoreDown { .. }
            | State::Loading(_)
            | State::NotingUse(_)
            | State::AtGate(_)
            | State::Claiming(_)
            | State::Sending(_)
            | State::Arrived(..)
            | State::Noting(_)
            | State::Committing(_)
            | State::Ending(_) => KnownVersion::InTheAir,
        }
    }

    /// Whether an intent of this machine may stand in the store: others wait for its next sign of life.
    #[must_use]
    pub fn owns_an_intent(&self) -> bool {
        match &self.state {
            State::Claiming(_)
            | State::Sending(_)
            | State::Arrived(..)
            | State::Noting(_)
            | State::Committing(_)
            | State::Ending(_) => true,
            State::Waiting(Wait { held, .. }) | State::AtGate(held) => held.owns_intent,
            State::Loading(purpose)
            | State::StoreDown {
                resume: purpose, ..
            } => purpose.owns_an_intent(),
            State::Unknown
            | State::Settled(_)
            | State::NotingUse(_)
            | State::Observing(_)
            | State::Over { .. } => false,
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
        let pair = shown.map(|(pair, id)| (pair, *id));
        let refused = pair.is_some_and(|(_, id)| self.refused == Some(id));
        View {
            pair,
            refused,
            about: self.about(),
            phase: self.phase(now),
        }
    }

    /// What the record says besides the tokens; while it is being read, what it said before.
    fn about(&self) -> Option<&super::About> {
        match &self.state {
            State::Settled(held)
            | State::NotingUse(held)
            | State::AtGate(held)
            | State::Waiting(Wait { held, .. })
            | State::Noting(Wait { held, .. }) => Some(&held.about),
            State::Observing(observed) => Some(&observed.base.about),
            State::Claiming(claim) => Some(&claim.base.about),
            State::Sending(flight) | State::Arrived(flight, _) => Some(&flight.claim.base.about),
            State::Committing(commit) => Some(&commit.claim.base.about),
            State::Unknown
            | State::Loading(_)
            | State::StoreDown { .. }
            | State::Ending(_)
            | State::Over { .. } => self.shown_about.as_ref(),
        }
    }

    fn phase(&self, now: Now) -> Phase<'_> {
        // While the record is read or cannot be, it may say that somebody has signed in again.
        let unread = matches!(
            self.state,
            State::Unknown | State::Loading(_) | State::StoreDown { .. }
        );
        if self.signed_out && !unread {
            return Phase::Over(EndReason::SignedOut);
        }
        match &self.state {
            State::Unknown => Phase::Unknown,
            State::Settled(held) if self.is_spent(held, now) => {
                Phase::Over(EndReason::NotRefreshable)
            }
            State::Settled(_) | State::NotingUse(_) => Phase::Idle,
            State::Waiting(Wait { until, trouble, .. })
            | State::StoreDown { until, trouble, .. } => Phase::Waiting {
                until: *until,
                trouble,
            },
            State::Observing(Observed {
                pause_ends: Some(until),
                ..
            }) if now.mono < *until => Phase::Waiting {
                until: *until,
                trouble: &Trouble::EarlierFailure,
            },
            State::Over { reason, .. } => Phase::Over(*reason),
            State::Loading(_)
            | State::AtGate(_)
            | State::Claiming(_)
            | State::Sending(_)
            | State::Arrived(..)
            | State::Noting(_)
            | State::Committing(_)
            | State::Ending(_)
            | State::Observing(_) => Phase::Busy,
        }
    }

    /// Whether the access token is of no use any more and nothing can replace it.
    fn is_spent(&self, held: &Refreshable, now: Now) -> bool {
        let dead = self.refused == Some(held.id) || now.wall >= held.pair.access_expires_at();
        held.pair.refresh_token().is_none() && dead
    }

    /// From when the pair's access token is refreshed in the background.
    #[must_use]
    pub fn early_at(&self, pair: &TokenPair, generation: Generation) -> Timestamp {
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
            Want::NewerThan(pair) => match &mut self.wants.newer_than {
                Some(wanted) if wanted.chain == pair.chain => {
                    wanted.generation = wanted.generation.max(pair.generation);
                }
                other => *other = Some(pair),
            },
        }
        self.state = match self.take_state() {
            State::Unknown => self.look(),
            State::Settled(held) => self.settle(held, now),
            State::Waiting(wait) if now.mono >= wait.until => {
                self.approach(wait.held, wait.last_chance, now)
            }
            State::StoreDown { resume, until, .. } if now.mono >= until => self.load(resume),
            State::Over { seen, .. } if now.mono >= seen + self.policy.look_again => self.look(),
            other => other,
        };
    }

    fn note_refusal(&mut self, pair: PairId) {
        // Invariant 4: a 401 of another pair says nothing about the pair held.
        if self.shown.as_ref().is_some_and(|(_, held)| *held == pair) {
            self.refused = Some(pair);
        }
    }

    /// What was heard since the record of `version` was read speaks against it.
    pub(super) fn heard_otherwise(&mut self, version: Option<RecordVersion>) -> bool {
        let heard = mem::take(&mut self.heard);
        heard != Heard::Nothing && heard != Heard::Version(version)
    }

    fn changed(&mut self, heard: Heard) {
        let known = match self.known_version() {
            KnownVersion::At(version) => Heard::Version(version),
            KnownVersion::Nothing | KnownVersion::InTheAir => Heard::Nothing,
        };
        if heard == known {
            return;
        }
        self.state = match self.take_state() {
            State::Settled(_) | State::Over { .. } => self.look(),
            State::Waiting(wait) => self.recheck_wait(wait),
            State::Observing(observed) => self.load(Purpose::Poll(observed)),
            State::StoreDown {
                resume,
                trouble: Trouble::Record,
                ..
            } => self.load(resume),
            State::Unknown => State::Unknown,
            // The compare-and-swap of what is in flight will tell; a read may be too old already.
            busy => {
                if self.heard != Heard::Changed {
                    self.heard = heard;
                }
                busy
            }
        };
    }

    fn timeout(&mut self, now: Now) {
        self.state = match self.take_state() {
            State::Waiting(wait) if now.mono >= wait.until => {
                self.approach(wait.held, wait.last_chance, now)
            }
            State::StoreDown { resume, until, .. } if now.mono >= until => self.load(resume),
            // Read once more also when the owner seems gone: it may have finished since.
            State::Observing(observed) if now.mono >= observed.until => {
                self.load(Purpose::Poll(observed))
            }
            State::Sending(flight)
                if self.renewal_due(&flight).is_some_and(|at| now.mono >= at) =>
            {
                self.renew(flight, now)
            }
            // Early timeouts are harmless.
            other => other,
        };
    }

    /// When the owner of a flight shows the next sign of life, where others count on it.
    fn renewal_due(&self, flight: &Flight) -> Option<Duration> {
        let renews = self.policy.replay != RefreshReplay::None && flight.renewal == Renewal::Idle;
        renews.then(|| flight.written + self.policy.renew_every)
    }

    pub(super) fn take_state(&mut self) -> State {
        mem::replace(&mut self.state, State::Unknown)
    }

    pub(super) fn remember_attempt(&mut self, attempt: AttemptId) {
        const REMEMBERED: usize = 4;
        self.own_attempts.push_back(OwnAttempt {
            id: attempt,
            was_sent: false,
        });
        if self.own_attempts.len() > REMEMBERED {
            self.own_attempts.pop_front();
        }
    }

    pub(super) fn own_attempt(&self, id: AttemptId) -> Option<OwnAttempt> {
        self.own_attempts.iter().find(|own| own.id == id).copied()
    }

    pub(super) fn load(&mut self, purpose: Purpose) -> State {
        // What is read from now on is at least as new as what was heard.
        self.heard = Heard::Nothing;
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
        self.shown = Some((held.pair.clone(), held.id));
        self.shown_about = Some(held.about.clone());
        self.reported_end = None;
        // What was read or written before the sign-out does not take it back.
        self.signed_out &= self.heard == Heard::Changed;
    }

    /// The record is idle and `held` is in it: begins what is wanted.
    pub(super) fn settle(&mut self, mut held: Refreshable, now: Now) -> State {
        let heard = mem::take(&mut self.heard);
        if heard != Heard::Nothing && heard != Heard::Version(Some(held.version)) {
            return self.look();
        }
        held.owns_intent = false;
        let Wants {
            usable,
            care,
            newer_than,
        } = mem::take(&mut self.wants);
        let is_old = newer_than.is_some_and(|pair| !held.id.is_newer_than(pair));
        let is_due = care && now.wall >= self.policy.keep_alive_at(&held.pair);
        let refreshes = is_old || is_due || (usable && self.is_unusable(&held, now));
        let by_caller = usable || newer_than.is_some();
        if refreshes && held.pair.refresh_token().is_some() {
            if by_caller {
                held.about.last_used_at = Some(now.wall);
            }
            return self.approach(held, false, now);
        }
        let max_idle = self.policy.max_idle;
        if by_caller && held.about.use_is_worth_noting(max_idle, now.wall) {
            held.about.last_used_at = Some(now.wall);
            return self.note_use(held);
        }
        State::Settled(held)
    }

    fn is_unusable(&self, held: &Refreshable, now: Now) -> bool {
        self.refused == Some(held.id)
            || held.pair.access_token().is_none()
            || now.wall >= self.early_at(&held.pair, held.id.generation)
    }

    /// Writes that the grant is in use, and nothing else. Lost is harmless: the next use writes it again.
    fn note_use(&mut self, held: Refreshable) -> State {
        self.outputs.push_back(Output::Save {
            record: Box::new(held.idle_record()),
            due: self.policy.due_at(&held.pair, &held.about),
            expect: held.version,
        });
        State::NotingUse(held)
    }

    /// The first step of a refresh: may another token request be made? The last chance asks no limit.
    pub(super) fn approach(&mut self, mut held: Refreshable, last_chance: bool, now: Now) -> State {
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
        let lives = now.wall < self.policy.mandatory_at(&held.pair);
        let is_forced = lives && self.refused == Some(held.id);
        if is_forced && !held.counted_as_forced {
            let wait = held.about.forced_refresh_wait(now.wall);
            if !wait.is_zero() {
                let until = now.mono + wait;
                return self.wait(held, until, Trouble::AccessTokenRefused, now);
            }
            held.about.note_forced_refresh(now.wall);
            held.counted_as_forced = true;
        }
        let urgency = match (last_chance, lives && !is_forced) {
            (true, _) => Urgency::LastChance,
            (false, true) => Urgency::Background,
            (false, false) => Urgency::Needed,
        };
        if !last_chance
            && let Some(rate) = self.policy.budget.per_grant()
            && let Some(slot) = rate.next_slot(&mut self.sent, now.mono)
        {
            return self.wait(held, slot, Trouble::RateLimited, now);
        }
        self.outputs.push_back(Output::AskGate { urgency });
        State::AtGate(held)
    }

    pub(super) fn wait(
        &mut self,
        held: Refreshable,
        until: Duration,
        trouble: Trouble,
        now: Now,
    ) -> State {
        self.report(Report::Delayed {
            trouble: trouble.clone(),
        });
        State::Waiting(self.wait_for(held, until, trouble, now))
    }

    /// A wait that ends at `until`, or at the last chance if that comes first: where an answer was lost,
    /// the server repeats it for a limited time, and that must not pass unused, whatever else it asks for.
    pub(super) fn wait_for(
        &self,
        held: Refreshable,
        until: Duration,
        trouble: Trouble,
        now: Now,
    ) -> Wait {
        let by_wall = held
            .first_presented_at
            .and_then(|at| self.policy.last_chance_at(at))
            .filter(|at| *at > now.wall)
            .map(|at| now.mono + at.saturating_since(now.wall));
        // A wall clock that is set back does not move it.
        let by_mono = held
            .first_presented_mono
            .zip(self.policy.last_chance_after())
            .map(|(at, after)| at + after)
            .filter(|at| *at > now.mono);
        let chance = by_wall
            .into_iter()
            .chain(by_mono)
            .min()
            .filter(|at| *at < until);
        Wait {
            held,
            until: chance.unwrap_or(until),
            trouble,
            last_chance: chance.is_some(),
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
