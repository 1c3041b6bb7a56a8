//! A machine that has nothing to do forgets its record, and reads it again when it has.

use std::{sync::Arc, time::Duration};

use super::{
    GrantMachine, PairId, RecordVersion, RefreshPolicy,
    machine::{Heard, Wants},
    state::{Refreshable, State},
};
use crate::{Entropy, OAuthApp};

/// What is left of a machine that has nothing to do: which record it saw.
///
/// A machine holds the pair and everything that its record says, and its states are large. A driver that keeps many
/// idle grants keeps the access token of each with the name of its pair, and this.
#[derive(Clone, Debug)]
pub struct Asleep {
    version: RecordVersion,
    /// When the last token requests were sent (monotonic), where they are counted.
    sent: Box<[Duration]>,
}

impl Asleep {
    /// The record's version, as it was last read or written.
    #[must_use]
    pub const fn version(&self) -> RecordVersion {
        self.version
    }
}

impl GrantMachine {
    /// What to keep of this machine, and the pair that it shows; `None` while it has something to do, or knows something
    /// that its record does not say. After `Some`, it may be dropped, and [`wake`](Self::wake) makes one that acts like
    /// it.
    #[must_use]
    pub fn fall_asleep(&self) -> Option<(Asleep, PairId)> {
        let version = match &self.state {
            State::Settled(held) if is_as_recorded(held) => held.version,
            State::Asleep(version) => *version,
            _ => return None,
        };
        let Wants {
            usable,
            care,
            newer_than,
        } = &self.wants;
        let is_wanted = *usable || *care || newer_than.is_some();
        // A write of its own that may still arrive would be taken for another process's.
        let has_failed = self.failures > 0 || self.useless_answers > 0 || self.doubtful > 0;
        let has_news = self.heard != Heard::Nothing
            || self.refused.is_some()
            || self.signed_out.is_some()
            || self.is_overtaken
            || self.has_output();
        if is_wanted || has_failed || has_news {
            return None;
        }
        let is_limited = self.policy.budget.per_grant().is_some();
        let asleep = Asleep {
            version,
            sent: self.sent.iter().copied().filter(|_| is_limited).collect(),
        };
        Some((asleep, self.shown_id()?))
    }

    /// The machine that fell asleep when it showed `pair`. It knows no more of that than the name, until something has it
    /// read the record.
    #[must_use]
    pub fn wake(
        app: Arc<OAuthApp>,
        policy: Arc<RefreshPolicy>,
        seed: &Entropy<8>,
        asleep: Asleep,
        pair: PairId,
    ) -> Self {
        Self {
            state: State::Asleep(asleep.version),
            lent: Some(pair),
            sent: asleep.sent.into_vec().into(),
            ..Self::new(app, policy, seed)
        }
    }
}

/// Whether reading the record again gives the same, and the pair in it can be refreshed.
fn is_as_recorded(held: &Refreshable) -> bool {
    held.pair.refresh_token().is_some()
        && held.unanswered == 0
        && held.first_presented_at.is_none()
        && !held.owns_intent
        && !held.counted_as_forced
}
