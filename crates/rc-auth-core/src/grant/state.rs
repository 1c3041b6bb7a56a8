//! The states of the machine. Each holds what its moment needs, and is consumed by the next input.

use std::time::Duration;

use super::{
    About, AttemptId, EndReason, GrantRecord, Held, Intent, PairId, Pause, RecordState,
    RecordVersion, Reply, TokenPair, Trouble,
};
use crate::{Now, Timestamp};

#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nothing has been read yet.
    Unknown,
    /// [`Output::Load`](super::Output::Load) is out.
    Loading(Purpose),
    /// The store did not give an answer that can be used; the same is tried again at `until`.
    StoreDown {
        resume: Purpose,
        until: Duration,
        trouble: Trouble,
    },
    /// The record is idle.
    Settled(Refreshable),
    /// The record is idle, and was forgotten but for its version.
    Asleep(RecordVersion),
    /// That the grant is in use is being saved.
    NotingUse(Refreshable),
    /// [`Output::AskGate`](super::Output::AskGate) is out.
    AtGate(Refreshable),
    /// The intent is being saved.
    Claiming(Claim),
    /// The token request is out.
    Sending(Flight),
    /// The answer is here, and the save of a renewal is still out.
    Arrived(Flight, Reply),
    /// What came of a try is being saved, before the wait for the next one.
    Noting(Wait),
    /// The new pair is being saved.
    Committing(Commit),
    /// The end of the grant is being saved.
    Ending(End),
    /// Somebody else's intent stands; the record is read again at `until`.
    Observing(Observed),
    /// A try failed or may not be made yet; the next one is at `until`.
    Waiting(Wait),
    /// The grant is over. `seen` is when that was read (monotonic).
    Over {
        reason: EndReason,
        version: Option<RecordVersion>,
        seen: Duration,
    },
}

/// Why the record is being read, and with it what must not be forgotten meanwhile.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// To know it.
    Look,
    /// To see, while waiting, whether the record is still the one that is waited with.
    Recheck(Wait),
    /// To see whether somebody else's refresh is done.
    Poll(Observed),
    /// To see whether our intent was written.
    ConfirmClaim(Claim),
    /// To see whether our pair was written. It is unserved until then.
    ConfirmCommit(Commit),
    /// To see whether our end was written.
    ConfirmEnd(End),
}

impl Purpose {
    pub(super) const fn owns_an_intent(&self) -> bool {
        match self {
            Self::ConfirmClaim(_) | Self::ConfirmCommit(_) | Self::ConfirmEnd(_) => true,
            Self::Recheck(wait) => wait.held.owns_intent,
            Self::Look | Self::Poll(_) => false,
        }
    }
}

/// A pair in the store that can be refreshed from where it is.
#[derive(Clone, Debug)]
pub(super) struct Refreshable {
    pub(super) id: PairId,
    pub(super) pair: TokenPair,
    pub(super) version: RecordVersion,
    pub(super) about: About,
    /// The attempt that wrote the pair.
    pub(super) committed_by: Option<AttemptId>,
    /// How often the refresh token may have been presented without an answer.
    pub(super) unanswered: u8,
    /// When it may have been presented first.
    pub(super) first_presented_at: Option<Timestamp>,
    /// The same (monotonic), as far as this process knows.
    pub(super) first_presented_mono: Option<Duration>,
    /// An intent of this machine stands in the record.
    pub(super) owns_intent: bool,
    /// The refresh that goes on now was counted as one that a refused access token asked for.
    pub(super) counted_as_forced: bool,
}

impl Refreshable {
    pub(super) fn record(&self, state: RecordState) -> GrantRecord {
        GrantRecord {
            chain: self.id.chain,
            generation: self.id.generation,
            state,
            about: self.about.clone(),
        }
    }

    pub(super) fn idle_record(&self) -> GrantRecord {
        self.record(RecordState::Idle {
            pair: self.pair.clone(),
            committed_by: self.committed_by,
        })
    }

    fn refreshing_record(&self, intent: Intent) -> GrantRecord {
        self.record(RecordState::Refreshing {
            pair: self.pair.clone(),
            intent,
        })
    }
}

/// An intent of this process.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) base: Refreshable,
    pub(super) attempt: AttemptId,
    /// When writing the intent began: its lease counts from here, the earliest moment that anybody can
    /// have seen it.
    pub(super) since: Now,
}

impl Claim {
    pub(super) fn intent(&self) -> Intent {
        Intent {
            attempt: self.attempt,
            unanswered: self.base.unanswered,
            answered: false,
            first_presented_at: Some(self.presented_at()),
            renewals: 0,
            pause: None,
        }
    }

    pub(super) fn presented_at(&self) -> Timestamp {
        self.base.first_presented_at.unwrap_or(self.since.wall)
    }

    pub(super) fn record(&self) -> GrantRecord {
        self.base.refreshing_record(self.intent())
    }

    /// The intent once more, to show that its owner is at work.
    pub(super) fn renewed(&self, renewals: u32) -> GrantRecord {
        self.base.refreshing_record(Intent {
            renewals,
            ..self.intent()
        })
    }

    /// What came of the attempt, and how long its owner pauses. `answered`: the token is as it was.
    pub(super) fn note(&self, answered: bool, pause: Pause) -> GrantRecord {
        let first_presented_at = if answered {
            self.base.first_presented_at
        } else {
            Some(self.presented_at())
        };
        self.base.refreshing_record(Intent {
            answered,
            first_presented_at,
            pause: Some(pause),
            ..self.intent()
        })
    }
}

/// A token request that is out, and the intent it stands on.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) claim: Claim,
    /// The last version of the intent that is known to be ours.
    pub(super) version: RecordVersion,
    /// When the intent was last written (monotonic): the beginning of the write.
    pub(super) written: Duration,
    pub(super) renewals: u32,
    pub(super) renewal: Renewal,
}

impl Flight {
    pub(super) const fn is_renewing(&self) -> bool {
        matches!(self.renewal, Renewal::Saving(_))
    }
}

/// Whether the intent of a flight is being written again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Renewal {
    /// Not at this moment.
    Idle,
    /// The save is out; it began at this moment (monotonic).
    Saving(Duration),
    /// No more: the intent was replaced, or whether it stands is unknown. The answer will be saved if it
    /// can be.
    Stopped,
}

/// The wait before the next try.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) held: Refreshable,
    /// When it ends (monotonic).
    pub(super) until: Duration,
    /// When it ends for somebody who asks for a token and finds none that lives; `until` at the latest.
    pub(super) if_asked: Duration,
    pub(super) trouble: Trouble,
    /// It was cut short because the server's grace ends: the next try asks no limit.
    pub(super) last_chance: bool,
}

/// How long is waited before the next try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delay {
    pub(super) length: Duration,
    /// Where somebody asks for a token and finds none that lives.
    pub(super) if_asked: Duration,
}

impl Delay {
    /// Nobody cuts it short.
    pub(super) const fn fixed(length: Duration) -> Self {
        Self {
            length,
            if_asked: length,
        }
    }
}

/// A pair that has arrived and is not saved yet.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) claim: Claim,
    pub(super) pair: TokenPair,
}

impl Commit {
    pub(super) fn record(&self) -> GrantRecord {
        let base = &self.claim.base;
        GrantRecord {
            chain: base.id.chain,
            generation: base.id.generation.next(),
            about: base.about.clone(),
            state: RecordState::Idle {
                pair: self.pair.clone(),
                committed_by: Some(self.claim.attempt),
            },
        }
    }

    /// The pair as it is once the store holds it under `version`.
    pub(super) fn saved(self, version: RecordVersion) -> Refreshable {
        let Claim { base, attempt, .. } = self.claim;
        Refreshable {
            id: PairId {
                generation: base.id.generation.next(),
                ..base.id
            },
            pair: self.pair,
            version,
            about: base.about,
            committed_by: Some(attempt),
            unanswered: 0,
            first_presented_at: None,
            first_presented_mono: None,
            owns_intent: false,
            counted_as_forced: false,
        }
    }
}

/// A grant whose refresh token is dead, which is not written yet.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) base: Refreshable,
    pub(super) reason: EndReason,
}

/// Somebody else's intent, and when its owner counts as gone.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) base: Refreshable,
    pub(super) intent: Intent,
    /// When its owner counts as gone unless the record changes (monotonic).
    pub(super) gone_at: Duration,
    /// When the owner's pause ends, if it makes one (monotonic).
    pub(super) pause_ends: Option<Duration>,
    pub(super) until: Duration,
    pub(super) delay: Duration,
}

/// A record, sorted by what can be done with it.
#[derive(Debug)]
pub(super) enum Found {
    Idle(Refreshable),
    Refreshing {
        held: Refreshable,
        intent: Intent,
    },
    Over {
        reason: EndReason,
        version: Option<RecordVersion>,
    },
}

impl Found {
    /// Whether this is still the record of `version`: nothing was written since.
    pub(super) fn is_still(&self, version: RecordVersion) -> bool {
        match self {
            Self::Idle(held) | Self::Refreshing { held, .. } => held.version == version,
            Self::Over { .. } => false,
        }
    }
}

impl From<Option<Box<Held>>> for Found {
    fn from(held: Option<Box<Held>>) -> Self {
        let Some(Held { record, version }) = held.map(|held| *held) else {
            return Self::Over {
                reason: EndReason::Absent,
                version: None,
            };
        };
        let id = record.id();
        let over = |reason| Self::Over {
            reason,
            version: Some(version),
        };
        let refreshable = |pair, committed_by| Refreshable {
            id,
            pair,
            version,
            about: record.about,
            committed_by,
            unanswered: 0,
            first_presented_at: None,
            first_presented_mono: None,
            owns_intent: false,
            counted_as_forced: false,
        };
        match record.state {
            RecordState::Idle { pair, committed_by } => Self::Idle(refreshable(pair, committed_by)),
            RecordState::Refreshing { pair, intent } => Self::Refreshing {
                held: Refreshable {
                    unanswered: intent.unanswered,
                    first_presented_at: intent.first_presented_at,
                    ..refreshable(pair, None)
                },
                intent,
            },
            RecordState::SignedOut { reason, .. } => over(reason.unwrap_or(EndReason::SignedOut)),
            RecordState::Ended { reason } => over(reason),
        }
    }
}
