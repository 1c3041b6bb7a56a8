//! A grant that is over, in the store until the platform has heard.

use std::time::Duration;

use rc_auth_core::{GrantRecord, RecordState, SaveFailure, Unfinished};
use rc_store::{Expect, RecordKey, Version};

use crate::{records::StoredRecord, state::ClientState};

/// A grant that is written down as signed out.
pub(crate) struct Tombstone {
    pub(crate) record: GrantRecord,
    pub(crate) version: Version,
}

/// Deletes a tombstone that is done with. Where a write that began its sign-in may still be carried out, it stands
/// until then without a token: only where there is no record can that write put one.
pub(super) async fn clear(client: &ClientState, key: &RecordKey, stone: Tombstone) {
    let Tombstone {
        mut record,
        version,
    } = stone;
    let now = client.environment.wall();
    let until = record.about.in_doubt_until.filter(|until| *until > now);
    match (until, &mut record.state) {
        (Some(until), RecordState::SignedOut { token, .. }) => {
            *token = None;
            let stored = StoredRecord::Grant(record);
            let expect = Expect::Version(version);
            if let Err(failure) = client.records.write(key, &stored, until, expect).await {
                // Still due: the next sweep finds it as it is.
                tracing::warn!(record = ?key, ?failure, "a tombstone could not be emptied");
            }
        }
        _ => client.records.delete(key, version).await,
    }
}

/// Writes down that a revocation failed. Where a refresh was unfinished, the next try is not after the
/// last chance to hear of it.
///
/// # Errors
///
/// The record, where whether it is written down is not known: a tombstone that stood there is still due.
pub(super) async fn put_off(
    client: &ClientState,
    key: &RecordKey,
    stone: Tombstone,
    pause: Duration,
    unfinished: Option<Unfinished>,
) -> Result<(), Box<GrantRecord>> {
    let now = client.now().wall;
    let chance = unfinished
        .and_then(|it| it.first_presented_at)
        .and_then(|at| client.policy.last_chance_at(at))
        .filter(|at| *at > now);
    let due = now.saturating_add(pause);
    let due = chance.map_or(due, |chance| chance.min(due));
    let stored = StoredRecord::Grant(stone.record);
    let expect = Expect::Version(stone.version);
    let mut written = client.records.write(key, &stored, due, expect).await;
    if let Err(SaveFailure::Conflict) = written
        && let Ok(None) = client.records.read(key).await
    {
        // Somebody took the chain for one that is in use, and it has come out of use since.
        let again = client.records.write(key, &stored, due, Expect::Absent);
        written = again.await;
    }
    let StoredRecord::Grant(record) = stored else {
        return Ok(());
    };
    match written {
        Ok(_) => Ok(()),
        // Somebody else has written it down.
        Err(SaveFailure::Conflict) => Ok(()),
        Err(SaveFailure::OutcomeUnknown) => {
            tracing::warn!(record = ?key, "whether a failed revocation was noted is not known");
            Err(Box::new(record))
        }
    }
}
