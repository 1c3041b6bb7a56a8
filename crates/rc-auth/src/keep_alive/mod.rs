//! Care for grants that nobody uses, and for what processes that died have left.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use rc_auth_core::{EndReason, GrantRecord, Input, Phase, RecordState, RefreshPolicy, Want};
use rc_store::{Due, DueAt, RecordKey, StoreError, Version};
use tokio_util::sync::CancellationToken;

use crate::{
    error::ErrorChain,
    live::intents::Owner,
    owner_index,
    records::{Found, StoredRecord, mark},
    refresh::waiting,
    revocation::{self, Tombstone},
    sign_out::{self, Begun, Ending},
    state::{ClientState, turns::Asked},
};

/// How often due records are looked for. Half the silence after which the owner of an intent counts as
/// gone.
const EVERY: Duration = Duration::from_secs(5);
const PAGE: usize = 100;

/// Sweeps the store from time to time, until the client is gone or closing. First it looks whether the store can
/// be opened at all: an application that did not ask is told by the log, before a user is told by a page.
pub(crate) async fn run(client: Weak<ClientState>, closing: CancellationToken) {
    if let Some(client) = client.upgrade()
        && let Err(error) = mark::check(&client.records).await
    {
        tracing::error!(error = %ErrorChain(&error), "the store cannot be used as it is");
    }
    loop {
        let Some(strong) = client.upgrade() else {
            return;
        };
        if let Err(error) = sweep(&strong).await {
            tracing::warn!(error = %ErrorChain(&error), "the store could not be swept");
        }
        let pause = pause(strong.draw().unwrap_or([128]));
        let next = strong.environment.sleep_until(strong.now().mono + pause);
        drop(strong);
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            () = next => {}
        }
    }
}

/// Replicas that start together do not sweep together. The first sweep is at once.
fn pause([spread]: [u8; 1]) -> Duration {
    EVERY * 9 / 10 + EVERY / 5 * u32::from(spread) / 255
}

/// Looks at everything that is due now, once. Waits for nothing but the store.
async fn sweep(client: &Arc<ClientState>) -> Result<(), StoreError> {
    let began = client.now().mono;
    let before = client.environment.wall().max(RefreshPolicy::INTENT_DUE);
    let mut after = None;
    let mut listed = BTreeSet::new();
    loop {
        let page = client.records.due(after, before, PAGE).await?;
        let Some(last) = page.last() else {
            client.live.intents().keep_listed(&listed, began);
            return Ok(());
        };
        after = Some(last.cursor());
        listed.extend(page.iter().map(|due| due.key));
        for key in worth_a_look(client, page).await {
            if client.tasks.closing.is_cancelled() || !begin(client, key) {
                return Ok(());
            }
        }
    }
}

/// Leaves out the intents of others that are known to show signs of life, without reading a record.
async fn worth_a_look(client: &Arc<ClientState>, page: Vec<Due>) -> Vec<RecordKey> {
    let intent_due = DueAt::from_unix_millis(RefreshPolicy::INTENT_DUE.unix_millis());
    let (intents, others): (Vec<Due>, Vec<Due>) =
        page.into_iter().partition(|due| due.due == intent_due);
    let mut keys: Vec<RecordKey> = intents.iter().map(|due| due.key).collect();
    if let Some(versions) = client.records.versions(&keys).await {
        let now = client.now().mono;
        let versions: Vec<Option<Version>> = versions;
        let mut versions = versions.into_iter();
        keys.retain(|key| {
            let Some(version) = versions.next().flatten() else {
                return false;
            };
            let own = client
                .live
                .get(key)
                .is_some_and(|live| live.lock().owns_an_intent());
            !own && client.live.intents().owner(key, version, now) != Owner::AtWork
        });
    }
    // Replicas that find the same begin at different places.
    let [a, b] = client.draw().unwrap_or_default();
    if !keys.is_empty() {
        let start = usize::from(u16::from_be_bytes([a, b])) % keys.len();
        keys.rotate_left(start);
    }
    keys.extend(others.into_iter().map(|due| due.key));
    keys
}

/// Looks after a record in a task of its own, unless that goes on already. `false`: too many wait.
fn begin(client: &Arc<ClientState>, key: RecordKey) -> bool {
    let turn = match client.turns.ask(key) {
        Asked::Turn(turn) => turn,
        Asked::HasOne => return true,
        Asked::TooMany => return false,
    };
    let state = client.clone();
    client.tasks.spawn("keep-alive", async move {
        // The semaphore is never closed.
        if let Ok(_permit) = state.turns.permits.acquire().await
            && !state.tasks.closing.is_cancelled()
        {
            look_after(&state, turn.key).await;
        }
    });
    true
}

async fn look_after(client: &Arc<ClientState>, key: RecordKey) {
    // A record that cannot be read was logged; the cursor passes it.
    let Ok(Some(Found { record, version })) = client.records.read(&key).await else {
        return;
    };
    match record {
        StoredRecord::UsedState(_) => client.records.delete(&key, version).await,
        StoredRecord::Mark(_) => {}
        StoredRecord::OwnerIndex(index) => {
            owner_index::look_after(client, &key, index, version).await;
        }
        StoredRecord::Grant(record) => match &record.state {
            RecordState::SignedOut { .. } => {
                revocation::resume(client, &key, Tombstone { record, version }).await;
            }
            RecordState::Ended { .. } => client.records.delete(&key, version).await,
            RecordState::Idle { pair, .. } if pair.refresh_token().is_none() => {
                client.records.delete(&key, version).await;
                if let Some(owner_id) = pair.owner_id() {
                    owner_index::leave_later(client, owner_id, key, record.chain);
                }
                waiting::input(client, &client.live(key), Input::Changed);
            }
            RecordState::Idle { .. } => match over_by_the_clock(client, &record).await {
                Some(reason) => end(client, key, reason).await,
                None => refresh(client, key, found(record, version)).await,
            },
            RecordState::Refreshing { intent, .. } => {
                let now = client.now();
                let seen = client
                    .live
                    .intents()
                    .note(key, version, intent, &client.policy, now);
                let left = client.policy.owner_gone_in(intent, seen, now.wall);
                if left.is_zero() {
                    refresh(client, key, found(record, version)).await;
                }
            }
        },
    }
}

/// Whether the grant has reached its greatest age or gone unused for too long, by this process's clock and
/// the platform's. As long as the platform's is not known, it is kept.
async fn over_by_the_clock(client: &ClientState, record: &GrantRecord) -> Option<EndReason> {
    let (at, reason) = client.policy.ends_at(&record.about)?;
    client.platform.is_surely_over(at).await.then_some(reason)
}

async fn end(client: &Arc<ClientState>, key: RecordKey, reason: EndReason) {
    let ending = Ending {
        reason: Some(reason),
        ..Ending::default()
    };
    match sign_out::begin(client, key, ending).await {
        Ok(Begun::Stone(stone)) => {
            sign_out::finish(client, key, *stone).await;
        }
        Ok(Begun::Done(_)) => {}
        Err(error) => tracing::warn!(record = ?key, %error, "a grant could not be ended"),
    }
}

fn found(record: GrantRecord, version: Version) -> Found {
    Found {
        record: StoredRecord::Grant(record),
        version,
    }
}

/// Has a grant refreshed, or its unfinished refresh finished. The outcome is told by events.
async fn refresh(client: &Arc<ClientState>, key: RecordKey, found: Found) {
    let live = client.live(key);
    let was_handed = waiting::hand(client, &live, found);
    let settled = waiting::known(
        client,
        &live,
        Want::Care,
        client.deadline(),
        |view, _| match view.phase {
            Phase::Idle | Phase::Over(_) => Some(false),
            Phase::Waiting { .. } => Some(true),
            Phase::Unknown | Phase::Busy => None,
        },
    )
    .await;
    match settled {
        // No write has shown that what was handed over was not too old already.
        Ok(true) if was_handed => waiting::input(client, &live, Input::Changed),
        Ok(_) => {}
        Err(_) => tracing::debug!(record = ?key, "a due grant is still busy"),
    }
}

/// Every intent that stands in the store belongs to nobody: notes them all, and has them taken over.
pub(crate) async fn take_over_abandoned(client: &Arc<ClientState>) -> Result<usize, StoreError> {
    // The first version made an intent due at its deadline.
    let latest = RefreshPolicy::MAX_INTENT_DEADLINE * 2;
    let before = client.environment.wall().saturating_add(latest);
    let before = before.max(RefreshPolicy::INTENT_DUE);
    let mut abandoned = Vec::new();
    let mut after = None;
    loop {
        let page = client.records.due(after, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        for due in page {
            if let Ok(Some(Found {
                record: StoredRecord::Grant(grant),
                ..
            })) = client.records.read(&due.key).await
                && let RecordState::Refreshing { intent, .. } = grant.state
            {
                abandoned.push(intent.attempt);
            }
        }
    }
    let count = abandoned.len();
    client.live.intents().abandon(abandoned);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_are_five_seconds_apart_and_half_a_second_by_chance() {
        let millis = |spread| pause([spread]).as_millis();
        assert_eq!((millis(0), millis(255)), (4500, 5500));
    }
}
