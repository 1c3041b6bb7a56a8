//! Care for grants that nobody uses, and for what processes that died have left.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rc_auth_core::{
    EndReason, GrantRecord, Input, Phase, RecordState, RefreshPolicy, Timestamp, Want,
};
use rc_store::{Due, DueAt, DueCursor, RecordKey, StoreError, Version};
use tokio::sync::Semaphore;

use crate::{
    record::StoredRecord,
    revocation::{self, Tombstone},
    shared::{ErrorChain, Found, Shared, lock},
    sights::Owner,
    sign_out::{self, Begun},
    tasks::guarded,
};

/// How often due records are looked for. Half the silence after which the owner of an intent counts as
/// gone.
const EVERY: Duration = Duration::from_secs(5);
const PAGE: usize = 100;
/// How many records are cared for at once: as many token requests as a platform may be sent side by side
/// after a process died.
const AT_ONCE: usize = 64;
/// How many more may wait for their turn; the rest is found by the next sweep.
const QUEUE: usize = 2000;

/// Records that are being cared for: nothing waits for another, and none is cared for twice at once.
#[derive(Debug)]
pub(crate) struct Care {
    keys: Mutex<BTreeSet<RecordKey>>,
    permits: Semaphore,
}

impl Default for Care {
    fn default() -> Self {
        Self {
            keys: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
        }
    }
}

/// Takes a record out of those that are cared for when it is dropped.
struct Turn {
    shared: Arc<Shared>,
    key: RecordKey,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.shared.care.keys).remove(&self.key);
    }
}

pub(crate) async fn run(shared: &Arc<Shared>) {
    loop {
        if let Err(error) = sweep(shared).await {
            tracing::warn!(error = %ErrorChain(&error), "the store could not be swept");
        }
        // Replicas that start together do not sweep together. The first sweep is at once.
        let [spread] = shared.draw().unwrap_or([128]);
        let pause = EVERY * 9 / 10 + EVERY / 5 * u32::from(spread) / 255;
        let next = shared.environment.sleep_until(shared.now().mono + pause);
        tokio::select! {
            biased;
            () = shared.tasks.closing.cancelled() => return,
            () = next => {}
        }
    }
}

/// Looks at everything that is due now, once. Waits for nothing but the store.
async fn sweep(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let began = shared.now().mono;
    let before = shared.environment.wall().max(RefreshPolicy::INTENT_DUE);
    let mut after = None;
    let mut listed = BTreeSet::new();
    loop {
        let page = due(shared, after, before).await?;
        let Some(last) = page.last() else {
            lock(&shared.sights).keep_listed(&listed, began);
            return Ok(());
        };
        after = Some(last.cursor());
        listed.extend(page.iter().map(|due| due.key));
        for key in worth_a_look(shared, page).await {
            if shared.tasks.closing.is_cancelled() || !begin(shared, key) {
                return Ok(());
            }
        }
    }
}

async fn due(
    shared: &Shared,
    after: Option<DueCursor>,
    before: Timestamp,
) -> Result<Vec<Due>, StoreError> {
    let before = DueAt::from_unix_millis(before.unix_millis());
    match guarded(async { shared.store.due(after, before, PAGE).await }).await {
        Ok(due) => due,
        Err(_) => Err(StoreError::unavailable("the store panicked")),
    }
}

/// Leaves out the intents of others that are known to show signs of life, without reading a record.
async fn worth_a_look(shared: &Arc<Shared>, page: Vec<Due>) -> Vec<RecordKey> {
    let intent_due = DueAt::from_unix_millis(RefreshPolicy::INTENT_DUE.unix_millis());
    let (intents, others): (Vec<Due>, Vec<Due>) =
        page.into_iter().partition(|due| due.due == intent_due);
    let mut keys: Vec<RecordKey> = intents.iter().map(|due| due.key).collect();
    if let Some(versions) = shared.versions(&keys).await {
        let now = shared.now().mono;
        let versions: Vec<Option<Version>> = versions;
        let mut versions = versions.into_iter();
        keys.retain(|key| {
            let Some(version) = versions.next().flatten() else {
                return false;
            };
            let own = shared
                .slots
                .get(key)
                .is_some_and(|slot| lock(&slot.inner).machine.owns_an_intent());
            !own && lock(&shared.sights).owner(key, version, now) != Owner::AtWork
        });
    }
    // Replicas that find the same begin at different places.
    let [a, b] = shared.draw().unwrap_or_default();
    if !keys.is_empty() {
        let start = usize::from(u16::from_be_bytes([a, b])) % keys.len();
        keys.rotate_left(start);
    }
    keys.extend(others.into_iter().map(|due| due.key));
    keys
}

/// Cares for a record in a task of its own, unless that goes on already. `false`: too many wait.
fn begin(shared: &Arc<Shared>, key: RecordKey) -> bool {
    let mut keys = lock(&shared.care.keys);
    if keys.len() >= AT_ONCE + QUEUE {
        return false;
    }
    if !keys.insert(key) {
        return true;
    }
    drop(keys);
    let turn = Turn {
        shared: shared.clone(),
        key,
    };
    shared.tasks.spawn("care", async move {
        let shared = &turn.shared;
        // The semaphore is never closed.
        if let Ok(_permit) = shared.care.permits.acquire().await
            && !shared.tasks.closing.is_cancelled()
        {
            care(shared, turn.key).await;
        }
    });
    true
}

async fn care(shared: &Arc<Shared>, key: RecordKey) {
    // A record that cannot be read was logged; the cursor passes it.
    let Ok(Some(Found { record, version })) = shared.read(&key).await else {
        return;
    };
    match record {
        StoredRecord::UsedState(_) => shared.delete(&key, version).await,
        StoredRecord::Mark(_) => {}
        StoredRecord::Grant(record) => match &record.state {
            RecordState::SignedOut { .. } => {
                revocation::resume(shared, &key, Tombstone { record, version }).await;
            }
            RecordState::Ended { .. } => shared.delete(&key, version).await,
            RecordState::Idle { pair, .. } if pair.refresh_token().is_none() => {
                shared.delete(&key, version).await;
                shared.slot(key).input(shared, Input::Changed);
            }
            RecordState::Idle { .. } => match over_by_the_clock(shared, &record).await {
                Some(reason) => end(shared, key, reason).await,
                None => refresh(shared, key).await,
            },
            RecordState::Refreshing { intent, .. } => {
                let now = shared.now();
                let seen = lock(&shared.sights).note(key, version, intent, &shared.policy, now);
                let left = shared.policy.owner_gone_in(intent, seen, now.wall);
                if left.is_zero() {
                    refresh(shared, key).await;
                }
            }
        },
    }
}

/// Whether the grant has reached its greatest age or gone unused for too long, by this process's clock and
/// the platform's. As long as the platform's is not known, it is kept.
async fn over_by_the_clock(shared: &Shared, record: &GrantRecord) -> Option<EndReason> {
    let (at, reason) = shared.policy.ends_at(&record.about)?;
    shared.is_surely_over(at).await.then_some(reason)
}

async fn end(shared: &Arc<Shared>, key: RecordKey, reason: EndReason) {
    match sign_out::begin(shared, key, Some(reason)).await {
        Ok(Begun::Stone(stone)) => {
            sign_out::finish(shared, key, *stone).await;
        }
        Ok(Begun::Done(_)) => {}
        Err(error) => tracing::warn!(record = ?key, %error, "a grant could not be ended"),
    }
}

/// Has a grant refreshed, or its unfinished refresh finished. The outcome is told by events.
async fn refresh(shared: &Arc<Shared>, key: RecordKey) {
    let slot = shared.slot(key);
    slot.input(shared, Input::Changed);
    let settled = slot
        .known(
            shared,
            Want::Care,
            shared.deadline(),
            |view, _| match view.phase {
                Phase::Idle | Phase::Waiting { .. } | Phase::Over(_) => Some(()),
                Phase::Unknown | Phase::Busy => None,
            },
        )
        .await;
    if settled.is_err() {
        tracing::debug!(record = ?key, "a due grant is still busy");
    }
}

/// Every intent that stands in the store belongs to nobody: notes them all, and has them taken over.
pub(crate) async fn take_over_abandoned(shared: &Arc<Shared>) -> Result<usize, StoreError> {
    // The first version made an intent due at its deadline.
    let latest = RefreshPolicy::MAX_INTENT_DEADLINE * 2;
    let before = shared.environment.wall().saturating_add(latest);
    let before = before.max(RefreshPolicy::INTENT_DUE);
    let mut abandoned = Vec::new();
    let mut after = None;
    loop {
        let page = due(shared, after, before).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        for due in page {
            if let Ok(Some(Found {
                record: StoredRecord::Grant(grant),
                ..
            })) = shared.read(&due.key).await
                && let RecordState::Refreshing { intent, .. } = grant.state
            {
                abandoned.push(intent.attempt);
            }
        }
    }
    let count = abandoned.len();
    lock(&shared.sights).abandon(abandoned);
    Ok(count)
}
