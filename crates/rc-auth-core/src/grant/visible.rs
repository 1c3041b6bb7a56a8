//! What can be seen of a machine: the pair, what goes on, when to call again.

use std::time::Duration;

use super::{
    EndReason, Generation, GrantMachine, KnownVersion, PairId, Phase, TokenPair, Trouble, View,
    state::{Observed, Purpose, Refreshable, State, Wait},
};
use crate::{Now, Timestamp};

impl GrantMachine {
    /// When [`Input::Timeout`](super::Input::Timeout) is wanted (monotonic). May change with every input.
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
            | State::Asleep(_)
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
            State::Asleep(version) => KnownVersion::At(Some(*version)),
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
            | State::Asleep(_)
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

    /// Whether the pair that is shown may have been replaced or signed out: the record was to be read, and could not
    /// be. A driver that stops now goes on serving it until somebody asks for more.
    #[must_use]
    pub fn shows_what_is_doubted(&self) -> bool {
        matches!(&self.state, State::StoreDown { .. }) && self.shown_id().is_some()
    }

    /// The pair that is shown, whole or lent.
    pub(super) fn shown_id(&self) -> Option<PairId> {
        self.shown.as_ref().map(|(_, id)| *id).or(self.lent)
    }

    /// What can be seen of the grant.
    #[must_use]
    pub fn view(&self, now: Now) -> View<'_> {
        let is_hidden = self.signed_out.is_some() || self.is_overtaken;
        let shown = self.shown.as_ref().filter(|_| !is_hidden);
        let id = self.shown_id().filter(|_| !is_hidden);
        View {
            pair: shown.map(|(pair, id)| (pair, *id)),
            lent: self.lent.filter(|_| !is_hidden),
            refused: id.is_some() && self.refused == id,
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
            | State::Asleep(_)
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
        if let Some(signed_out) = self.signed_out.filter(|_| !unread) {
            return if signed_out.is_doubted && !matches!(self.state, State::Over { .. }) {
                Phase::Busy
            } else {
                Phase::Over(EndReason::SignedOut)
            };
        }
        match &self.state {
            State::Unknown => Phase::Unknown,
            State::Settled(held) if self.is_spent(held, now) => {
                Phase::Over(EndReason::NotRefreshable)
            }
            State::Settled(_) | State::Asleep(_) | State::NotingUse(_) => Phase::Idle,
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
}
