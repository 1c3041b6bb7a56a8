//! The machine: what comes in from outside, and when a refresh begins.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use super::{
    AttemptId, EndReason, Input, Output, PairId, RecordVersion, RefreshPolicy, RefreshReplay,
    Report, TokenPair, Trouble, Want,
    state::{Flight, Purpose, Refreshable, Renewal, State},
};
use crate::{Entropy, Now, OAuthApp};

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
#[derive(Clone, Debug)]
pub struct GrantMachine {
    pub(super) app: Arc<OAuthApp>,
    pub(super) policy: Arc<RefreshPolicy>,
    pub(super) state: State,
    pub(super) outputs: VecDeque<Output>,
    /// The newest pair known to be in the store.
    pub(super) shown: Option<(TokenPair, PairId)>,
    /// The pair that was shown when the machine fell asleep, until the record is read again: whoever uses its access
    /// token has it.
    pub(super) lent: Option<PairId>,
    /// What the record said besides, when `shown` was read or written.
    pub(super) shown_about: Option<super::About>,
    /// The pair whose access token a resource has refused.
    pub(super) refused: Option<PairId>,
    /// What is wanted and not yet begun.
    pub(super) wants: Wants,
    /// This process has signed the grant out, and nothing newer was read.
    pub(super) signed_out: Option<SignOut>,
    /// What was heard of the record while something else was in the air.
    pub(super) heard: Heard,
    /// A request is out, or its refusal is being written down, and the record that it was made for has become another
    /// one, perhaps of a user who has signed out: nothing is shown until it was read.
    pub(super) is_overtaken: bool,
    /// The last intents that this machine may have written, newest last.
    pub(super) own_attempts: VecDeque<OwnAttempt>,
    /// The end that was reported last.
    pub(super) reported_end: Option<EndReason>,
    /// Tries that failed since the last success.
    pub(super) failures: u32,
    /// Answers since the last whose access token could be used.
    pub(super) useless_answers: u32,
    /// Writes in a row whose outcome is unknown.
    pub(super) doubtful: u32,
    /// When the last token requests were sent (monotonic).
    pub(super) sent: VecDeque<Duration>,
    pub(super) seed: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    pub(super) usable: bool,
    pub(super) care: bool,
    pub(super) newer_than: Option<PairId>,
}

/// An intent that this machine may have written.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnAttempt {
    pub(super) id: AttemptId,
    /// Its request was put out.
    pub(super) was_sent: bool,
}

/// A sign-out of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignOut {
    /// What it was written as.
    pub(super) version: RecordVersion,
    /// Another version was heard of, perhaps of a newer sign-in: nothing is shown before it is read, and nobody is
    /// told that the user has signed out.
    pub(super) is_doubted: bool,
}

/// What was heard of the record while the machine could not look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Heard {
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
    pub fn new(app: Arc<OAuthApp>, policy: Arc<RefreshPolicy>, seed: &Entropy<8>) -> Self {
        Self {
            app,
            policy,
            state: State::Unknown,
            outputs: VecDeque::new(),
            shown: None,
            lent: None,
            shown_about: None,
            refused: None,
            wants: Wants::default(),
            signed_out: None,
            heard: Heard::Nothing,
            is_overtaken: false,
            own_attempts: VecDeque::new(),
            reported_end: None,
            failures: 0,
            useless_answers: 0,
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
        #[cfg(feature = "fingerprint")]
        super::coverage::count(&self.state, &input);
        match input {
            Input::Want(want) => self.want(want, now),
            Input::Refused(pair) => self.note_refusal(pair),
            Input::Changed => self.changed(Heard::Changed, now),
            Input::ChangedTo(version) => {
                if let (Some(signed_out), Some(version)) = (&mut self.signed_out, version) {
                    signed_out.is_doubted |= signed_out.version != version;
                }
                self.changed(Heard::Version(version), now);
            }
            Input::SignedIn => {
                if let Some(signed_out) = &mut self.signed_out {
                    signed_out.is_doubted = true;
                }
                self.changed(Heard::Changed, now);
            }
            Input::SignedOut(version) => {
                // What was never read is not shown, and is read before it is.
                let was_read = !matches!(self.state, State::Unknown);
                self.signed_out = was_read.then_some(SignOut {
                    version,
                    is_doubted: false,
                });
                self.changed(Heard::Changed, now);
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
            State::Unknown | State::Asleep(_) => self.look(),
            State::Settled(held) => self.settle(held, now),
            State::Waiting(wait) => self.asked(wait, now),
            State::StoreDown { resume, until, .. } if now.mono >= until => self.load(resume),
            State::Over { seen, .. } if now.mono >= seen + self.policy.look_again => self.look(),
            other => other,
        };
    }

    fn note_refusal(&mut self, pair: PairId) {
        // Invariant 4: a 401 of another pair says nothing about the pair held.
        if self.shown_id() == Some(pair) {
            self.refused = Some(pair);
        }
    }

    /// What was heard since the record of `version` was read speaks against it.
    pub(super) fn heard_otherwise(&mut self, version: Option<RecordVersion>) -> bool {
        let heard = mem::take(&mut self.heard);
        heard != Heard::Nothing && heard != Heard::Version(version)
    }

    fn changed(&mut self, heard: Heard, now: Now) {
        let known = match self.known_version() {
            KnownVersion::At(version) => Heard::Version(version),
            KnownVersion::Nothing | KnownVersion::InTheAir => Heard::Nothing,
        };
        if heard == known {
            return;
        }
        self.state = match self.take_state() {
            State::Settled(_) | State::Asleep(_) | State::Over { .. } => self.look(),
            State::Waiting(wait) => self.recheck_wait(wait),
            State::Observing(observed) => self.load(Purpose::Poll(observed)),
            // A record that could not be read is another one now; a store that was down tells of it, so it is up.
            State::StoreDown {
                resume,
                until,
                trouble,
            } if trouble == Trouble::Record || now.mono >= until => self.load(resume),
            State::Unknown => State::Unknown,
            // The compare-and-swap of what is in flight will tell; a read may be too old already.
            busy => {
                let known = match &busy {
                    State::Sending(flight) => {
                        (flight.renewal == Renewal::Idle).then_some(flight.version)
                    }
                    State::Ending(end) => Some(end.base.version),
                    _ => None,
                };
                self.is_overtaken |=
                    known.is_some_and(|known| heard != Heard::Version(Some(known)));
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
    pub(super) fn renewal_due(&self, flight: &Flight) -> Option<Duration> {
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
        self.lent = None;
        self.is_overtaken = false;
        self.shown_about = Some(held.about.clone());
        self.reported_end = None;
        // What was read or written before the sign-out does not take it back.
        if self.heard != Heard::Changed {
            self.signed_out = None;
        }
    }
}
