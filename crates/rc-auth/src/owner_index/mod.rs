//! The index of an owner's sign-ins: an entry is written before its grant, and taken out after it has ended.
//!
//! The index is a list of what may be there. What is there is said by the records of the grants alone: an
//! entry is shown only while its grant stands. So an index that could not be written costs nobody a sign-in
//! or a sign-out.

pub(crate) mod everywhere;
pub(crate) mod listing;

use std::{sync::Arc, time::Duration};

use rc_auth_core::{ChainId, SaveFailure, Timestamp, Trouble, UnknownMembers};
use rc_store::{Expect, RecordKey, Version};

use crate::{
    key::{GrantKey, owner_record_key},
    records::{Found, IndexEntry, OwnerIndex, ReadFailure, StoredRecord},
    state::ClientState,
};

/// How many sign-ins of one owner are listed at most.
pub(crate) const MOST: usize = 32;
/// How long the label of a sign-in is at most, in characters.
const LONGEST_LABEL: usize = 100;
/// How old an entry has to be before it counts against it that its grant is not there: a sign-in writes
/// the grant after the entry, and the clocks of two processes differ.
const UNDER_WAY: Duration = Duration::from_secs(3600);
/// When an index that nobody writes is looked at.
const LOOK_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often somebody else may come between. In each round one of them is done.
const TRIES: u32 = 16;
/// How often the store may fail.
const TROUBLES: u32 = 2;

/// A sign-in as its index names it.
pub(crate) fn entry(
    record: &RecordKey,
    key: &GrantKey,
    chain: ChainId,
    made_at: Timestamp,
    label: Option<&str>,
) -> IndexEntry {
    IndexEntry {
        key: key.as_str().to_owned(),
        record: record.to_hex(),
        chain,
        made_at,
        label: label.map(|label| label.chars().take(LONGEST_LABEL).collect()),
        unknown: UnknownMembers::default(),
    }
}

/// Enters a sign-in into the index of its owner. A failure is logged: the sign-in does not depend on it.
pub(crate) async fn enter(client: &ClientState, owner_id: &str, entry: IndexEntry) {
    let index = owner_record_key(&client.platform.app, owner_id);
    if let Err(trouble) = apply(client, &index, &Change::Enter(entry)).await {
        tracing::warn!(record = ?index, %trouble, "a sign-in could not be entered into the list of its owner's");
    }
}

/// Takes a grant that is over out of the index of its owner, in a task of its own. What is left behind is
/// cleaned away by whoever reads the index next.
pub(crate) fn leave_later(
    client: &Arc<ClientState>,
    owner_id: &str,
    record: RecordKey,
    chain: ChainId,
) {
    let index = owner_record_key(&client.platform.app, owner_id);
    let state = client.clone();
    client.tasks.spawn("owner-index", async move {
        leave(&state, &index, vec![(record, chain)]).await;
    });
}

/// Takes grants that are over out of an index.
async fn leave(client: &ClientState, index: &RecordKey, over: Vec<(RecordKey, ChainId)>) {
    if let Err(trouble) = apply(client, index, &Change::Leave(over)).await {
        tracing::debug!(record = ?index, %trouble, "a grant that is over stays in the list of its owner's");
    }
}

enum Change {
    Enter(IndexEntry),
    Leave(Vec<(RecordKey, ChainId)>),
}

/// Reads an index, changes it and writes it, until nobody came between.
async fn apply(client: &ClientState, key: &RecordKey, change: &Change) -> Result<(), Trouble> {
    let mut troubles = 0;
    for _ in 0..TRIES {
        let done = match read(client, key).await {
            Ok(found) => try_once(client, key, found, change).await,
            Err(ReadFailure::Unreadable) => return Err(Trouble::Record),
            Err(ReadFailure::Unavailable) => Err(SaveFailure::OutcomeUnknown),
        };
        match done {
            Ok(()) => return Ok(()),
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) if troubles == TROUBLES => break,
            Err(SaveFailure::OutcomeUnknown) => {
                troubles += 1;
                client.sleep(client.policy.retry_first).await;
            }
        }
    }
    Err(Trouble::Store)
}

/// An index as it was read, with the version that a write has to expect.
struct FoundIndex {
    index: OwnerIndex,
    version: Version,
}

async fn read(client: &ClientState, key: &RecordKey) -> Result<Option<FoundIndex>, ReadFailure> {
    match client.records.read(key).await? {
        None => Ok(None),
        Some(Found {
            record: StoredRecord::OwnerIndex(index),
            version,
        }) => Ok(Some(FoundIndex { index, version })),
        Some(_) => Err(ReadFailure::Unreadable),
    }
}

async fn try_once(
    client: &ClientState,
    key: &RecordKey,
    found: Option<FoundIndex>,
    change: &Change,
) -> Result<(), SaveFailure> {
    let (mut index, version) = match found {
        Some(FoundIndex { index, version }) => (index, Some(version)),
        None => (OwnerIndex::default(), None),
    };
    let changed = match change {
        Change::Enter(entry) => add(client, &mut index, entry).await,
        Change::Leave(over) => remove(&mut index, over),
    };
    if !changed {
        return Ok(());
    }
    write(client, key, index, version).await
}

/// `false`: it is there already, by a write whose outcome was unknown.
async fn add(client: &ClientState, index: &mut OwnerIndex, entry: &IndexEntry) -> bool {
    let is_same = |old: &IndexEntry| old.chain == entry.chain && old.record == entry.record;
    if index.entries.iter().any(is_same) {
        return false;
    }
    if index.entries.len() >= MOST {
        drop_absent(client, &mut index.entries).await;
        let surplus = (index.entries.len() + 1).saturating_sub(MOST);
        index.entries.drain(..surplus);
    }
    index.entries.push(entry.clone());
    true
}

fn remove(index: &mut OwnerIndex, over: &[(RecordKey, ChainId)]) -> bool {
    let before = index.entries.len();
    let is_over = |entry: &IndexEntry| {
        over.iter()
            .any(|(record, chain)| entry.is_of(record, *chain))
    };
    index.entries.retain(|entry| !is_over(entry));
    index.entries.len() != before
}

/// Leaves out the entries whose records are gone, by one look at the versions. A store that does not answer
/// leaves everything as it is.
async fn drop_absent(client: &ClientState, entries: &mut Vec<IndexEntry>) {
    entries.retain(|entry| entry.record_key().is_some());
    let keys: Vec<RecordKey> = entries.iter().filter_map(IndexEntry::record_key).collect();
    let Some(versions) = client.records.versions(&keys).await else {
        return;
    };
    let now = client.environment.wall();
    let mut versions = versions.into_iter();
    entries.retain(|entry| versions.next().flatten().is_some() || is_under_way(entry, now));
}

/// Whether the grant of an entry may still be about to be written.
fn is_under_way(entry: &IndexEntry, now: Timestamp) -> bool {
    now < entry.made_at.saturating_add(UNDER_WAY)
}

/// Writes an index over what was read; an empty one is deleted.
async fn write(
    client: &ClientState,
    key: &RecordKey,
    index: OwnerIndex,
    version: Option<Version>,
) -> Result<(), SaveFailure> {
    if index.entries.is_empty() {
        if let Some(version) = version {
            client.records.delete(key, version).await;
        }
        return Ok(());
    }
    let due = client.environment.wall().saturating_add(LOOK_AFTER);
    let expect = version.map_or(Expect::Absent, Expect::Version);
    let stored = StoredRecord::OwnerIndex(index);
    let written = client.records.write(key, &stored, due, expect).await;
    written.map(drop)
}

/// Looks after an index that nobody has written for long: leaves out what is gone. If somebody writes it
/// meanwhile, it is not due any more.
pub(crate) async fn look_after(
    client: &ClientState,
    key: &RecordKey,
    mut index: OwnerIndex,
    version: Version,
) {
    drop_absent(client, &mut index.entries).await;
    // A failure was logged; the next sweep finds it as it is.
    let _ = write(client, key, index, Some(version)).await;
}
