//! What those who wait for a grant can tell apart: they are woken by nothing else.

use std::time::Duration;

use rc_auth_core::{EndReason, PairId, Phase, Timestamp, View};

/// What those who wait can tell apart.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Shown {
    pair: Option<PairId>,
    used: Option<Timestamp>,
    refused: bool,
    phase: ShownPhase,
}

#[derive(Debug, Eq, PartialEq)]
enum ShownPhase {
    Unknown,
    Idle,
    Busy,
    Waiting(Duration),
    Over(EndReason),
}

impl Shown {
    pub(super) fn new(view: &View<'_>) -> Self {
        let phase = match view.phase {
            Phase::Unknown => ShownPhase::Unknown,
            Phase::Idle => ShownPhase::Idle,
            Phase::Busy => ShownPhase::Busy,
            Phase::Waiting { until, .. } => ShownPhase::Waiting(until),
            Phase::Over(reason) => ShownPhase::Over(reason),
        };
        Self {
            pair: view.pair.map(|(_, id)| id),
            used: view.about.and_then(|about| about.last_used_at),
            refused: view.refused,
            phase,
        }
    }
}
