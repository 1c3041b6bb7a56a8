//! Care for grants that nobody uses.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{Input, Phase, RecordState, Timestamp, Want};
use rc_store::{Due, DueAt, DueCursor, RecordKey, StoreError};

use crate::{
    entropy,
    record::StoredRecord,
    shared::{Chain, Found, Shared, lock},
    sign_out,
};

/// How often due records are looked for. Half the deadline of an intent.
const EVERY: Duration = Duration::from_secs(30);
const PAGE: usize = 100;

pub(crate) async fn run(shared: &Arc<Shared>) {
    // Replicas that start together do not sweep together. The first sweep is at once.
    let offset = entropy::draw::<2>().map_or(0, u16::from_be_bytes);
    let offset = EVERY / 2 * u32::from(offset) / u32::from(u16::MAX);
    loop {
        if let Err(error) = sweep(shared).await {
            tracing::warn!(error = %Chain(&error), "the store could not be swept");
        }
        let next = shared.now().mono + EVERY / 2 + offset;
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = shared.clock.sleep_until(next) => {}
        }
    }
}

/// Looks at everything that is due now, once.
async fn sweep(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let before = shared.clock.wall();
    let mut after = None;
    loop {
        let page = due(shared, after, before).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(DueCursor {
            due: last.due,
            key: last.key,
        });
        for due in page {
            if shared.closing.is_cancelled() {
                return Ok(());
            }
            care(shared, due.key).await;
        }
    }
}

async fn due(
    shared: &Shared,
    after: Option<DueCursor>,
    before: Timestamp,
) -> Result<Vec<Due>, StoreError> {
    shared
        .store
        .due(after, DueAt::from_unix_millis(before.unix_millis()), PAGE)
        .await
}

async fn care(shared: &Arc<Shared>, key: RecordKey) {
    // A record that cannot be read was logged; the cursor passes it.
    let Ok(Some(Found { record, version })) = shared.read(&key).await else {
        return;
    };
    match record {
        StoredRecord::UsedState(_) => shared.delete(&key, version).await,
        StoredRecord::Grant(grant) => match &grant.state {
            RecordState::SignedOut { .. } => {
                sign_out::resume(shared, &key, grant, version).await;
            }
            RecordState::Ended { .. } => shared.delete(&key, version).await,
            RecordState::Idle { pair, .. } if pair.refresh_token().is_none() => {
                shared.delete(&key, version).await;
                shared.slot(key).input(shared, Input::Changed);
            }
            RecordState::Idle { .. } | RecordState::Refreshing { .. } => refresh(shared, key).await,
        },
    }
}

/// Has a grant refreshed, or its unfinished refresh finished. The outcome is told by events.
async fn refresh(shared: &Arc<Shared>, key: RecordKey) {
    let slot = shared.slot(key);
    slot.input(shared, Input::Changed);
    let settled = slot
        .known(shared, Want::Care, |view, _| match view.phase {
            Phase::Idle | Phase::Waiting { .. } | Phase::Over(_) => Some(()),
            Phase::Unknown | Phase::Busy => None,
        })
        .await;
    if settled.is_err() {
        tracing::debug!(record = ?key, "a due grant is still busy");
    }
}

/// Every intent that stands in the store belongs to nobody: takes them all over.
pub(crate) async fn take_over_abandoned(shared: &Arc<Shared>) -> Result<usize, StoreError> {
    // An intent is due at its deadline, so none is due later than this.
    let before = shared
        .clock
        .wall()
        .saturating_add(rc_auth_core::RefreshPolicy::MAX_INTENT_DEADLINE * 2);
    let mut abandoned = Vec::new();
    let mut after = None;
    loop {
        let page = due(shared, after, before).await?;
        let Some(last) = page.last() else { break };
        after = Some(DueCursor {
            due: last.due,
            key: last.key,
        });
        for due in page {
            if let Ok(Some(Found {
                record: StoredRecord::Grant(grant),
                ..
            })) = shared.read(&due.key).await
                && let RecordState::Refreshing { intent, .. } = grant.state
            {
                abandoned.push((due.key, intent.attempt));
            }
        }
    }
    lock(&shared.abandoned).extend(abandoned.iter().map(|(_, attempt)| *attempt));
    for (key, _) in &abandoned {
        shared.slot(*key).input(shared, Input::Want(Want::Care));
    }
    Ok(abandoned.len())
}
