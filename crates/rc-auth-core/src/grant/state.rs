//! The states of the machine. Each holds what its moment needs, and is consumed by the next input.

use std::time::Duration;

use super::{
    AttemptId, EndReason, Generation, GrantRecord, Held, Intent, RecordState, RecordVersion,
    TokenPair, Trouble,
};

#[derive(Debug)]
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
    /// [`Output::AskGate`](super::Output::AskGate) is out.
    AtGate(Refreshable),
    /// The intent is being saved.
    Claiming(Claim),
    /// The token request is out.
    Sending(Claim, RecordVersion),
    /// The new pair is being saved.
    Committing(Commit),
    /// The end of the grant is being saved.
    Ending(End),
    /// Somebody else's intent stands; the record is read again at `until`.
    Observing(Observed),
    /// A try failed; the next one is at `until`.
    Waiting {
        held: Refreshable,
        until: Duration,
        trouble: Trouble,
    },
    /// The grant is over. `seen` is when that was read (monotonic).
    Over { reason: EndReason, seen: Duration },
}

/// Why the record is being read, and with it what must not be forgotten meanwhile.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To know it.
    Look,
    /// To see, while waiting, whether the record is still the one that is waited with.
    Recheck {
        held: Refreshable,
        until: Duration,
        trouble: Trouble,
    },
    /// To see whether somebody else's refresh is done.
    Poll(Observed),
    /// To see whether our intent was written.
    ConfirmClaim(Claim),
    /// To see whether our pair was written. It is unserved until then.
    ConfirmCommit(Commit),
    /// To see whether our end was written.
    ConfirmEnd(End),
}

/// A pair in the store that can be refreshed from where it is.
#[derive(Clone, Debug)]
pub(super) struct Refreshable {
    pub(super) chain: super::ChainId,
    pub(super) generation: Generation,
    pub(super) pair: TokenPair,
    pub(super) version: RecordVersion,
    /// How often the refresh token may have been presented without an answer.
    pub(super) unanswered: u8,
}

impl Refreshable {
    pub(super) fn record(&self, state: RecordState) -> GrantRecord {
        GrantRecord {
            chain: self.chain,
            generation: self.generation,
            state,
        }
    }
}

/// An intent of this process.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) base: Refreshable,
    pub(super) attempt: AttemptId,
    /// When writing the intent began (monotonic): its lease counts from here, the earliest moment that
    /// anybody can have seen it.
    pub(super) since: Duration,
}

impl Claim {
    pub(super) const fn intent(&self) -> Intent {
        Intent {
            attempt: self.attempt,
            unanswered: self.base.unanswered,
        }
    }

    pub(super) fn record(&self) -> GrantRecord {
        self.base.record(RecordState::Refreshing {
            pair: self.base.pair.clone(),
            intent: self.intent(),
        })
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
            chain: base.chain,
            generation: base.generation.next(),
            state: RecordState::Idle {
                pair: self.pair.clone(),
                committed_by: Some(self.claim.attempt),
            },
        }
    }

    /// The pair as it is once the store holds it under `version`.
    pub(super) fn saved(self, version: RecordVersion) -> Refreshable {
        let base = self.claim.base;
        Refreshable {
            chain: base.chain,
            generation: base.generation.next(),
            pair: self.pair,
            version,
            unanswered: 0,
        }
    }
}

/// A grant whose refresh token is dead, which is not written yet.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) base: Refreshable,
    pub(super) reason: EndReason,
}

/// Somebody else's intent, and since when it has been seen (monotonic).
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) base: Refreshable,
    pub(super) attempt: AttemptId,
    pub(super) first_seen: Duration,
    pub(super) until: Duration,
    pub(super) delay: Duration,
}

/// A record, sorted by what can be done with it.
#[derive(Debug)]
pub(super) enum Found {
    Idle {
        held: Refreshable,
        committed_by: Option<AttemptId>,
    },
    Refreshing {
        held: Refreshable,
        intent: Intent,
    },
    Over(EndReason),
}

impl Found {
    /// Whether this is still the record of `version`: nothing was written since.
    pub(super) fn is_still(&self, version: RecordVersion) -> bool {
        match self {
            Self::Idle { held, .. } | Self::Refreshing { held, .. } => held.version == version,
            Self::Over(_) => false,
        }
    }
}

impl From<Option<Held>> for Found {
    fn from(held: Option<Held>) -> Self {
        let Some(Held { record, version }) = held else {
            return Self::Over(EndReason::Absent);
        };
        let GrantRecord {
            chain,
            generation,
            state,
        } = record;
        let refreshable = |pair, unanswered| Refreshable {
            chain,
            generation,
            pair,
            version,
            unanswered,
        };
        match state {
            RecordState::Idle { pair, committed_by } => Self::Idle {
                held: refreshable(pair, 0),
                committed_by,
            },
            RecordState::Refreshing { pair, intent } => Self::Refreshing {
                held: refreshable(pair, intent.unanswered),
                intent,
            },
            RecordState::SignedOut { .. } => Self::Over(EndReason::SignedOut),
            RecordState::Ended { reason } => Self::Over(reason),
        }
    }
}
