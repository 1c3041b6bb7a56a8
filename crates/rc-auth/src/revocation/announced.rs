//! A chain that another sign-in is about to replace: written down before, so that it is revoked even if the process
//! dies between the two.

use std::time::Duration;

use rc_auth_core::{GrantRecord, RecordState, SaveFailure};
use rc_store::{Expect, RecordKey, Version};

use super::{
    in_place_of_note,
    tombstone::{Tombstone, put_off},
};
use crate::{
    key::revocation_record_key,
    records::{Found, StoredRecord},
    state::ClientState,
};

/// How often an announcement is written that others write too.
const TRIES: u32 = 4;

/// How long a sign-in may take to replace a record, after it has said that it will.
const ANNOUNCED_FOR: Duration = Duration::from_secs(60);

/// Whether it is written down that a chain is to be revoked is not known.
pub(crate) struct NotAnnounced;

/// A chain that is about to be replaced, as it was written down. Without a version: it was written down before.
pub(crate) struct Announced {
    pub(super) key: RecordKey,
    pub(super) record: GrantRecord,
    pub(super) version: Option<Version>,
}

/// Writes down that the chain of `record` is to be revoked, before another sign-in replaces it under
/// `key`. `None`: there is nothing to revoke.
///
/// # Errors
///
/// When that may not be written down: should it be replaced all the same and this process die, nobody would revoke it.
pub(crate) async fn announce(
    client: &ClientState,
    key: &RecordKey,
    record: &GrantRecord,
) -> Result<Option<Announced>, NotAnnounced> {
    let Some(mut stone) = to_be_replaced(record) else {
        return Ok(None);
    };
    let Some(token) = stone.revocable() else {
        return Ok(None);
    };
    let own_key = revocation_record_key(&client.platform.app, token);
    stone.about.replaced_under = Some(key.to_hex());
    let stored = StoredRecord::Grant(stone.clone());
    let version = write_down(client, &own_key, &stored).await?;
    stone.about.replaced_under = None;
    Ok(Some(Announced {
        key: own_key,
        record: stone,
        version,
    }))
}

/// Over what was announced before, too: a refresh may have begun since, whose pair is to be asked for. `None`: the
/// chain is written down as one that is over already.
async fn write_down(
    client: &ClientState,
    key: &RecordKey,
    announced: &StoredRecord,
) -> Result<Option<Version>, NotAnnounced> {
    let due = client.now().wall.saturating_add(ANNOUNCED_FOR);
    let mut expect = Expect::Absent;
    for _ in 0..TRIES {
        match client.records.write(key, announced, due, expect).await {
            Ok(version) => return Ok(Some(version)),
            Err(SaveFailure::OutcomeUnknown) => return Err(NotAnnounced),
            Err(SaveFailure::Conflict) => {}
        }
        match in_place_of_note(client, key).await {
            Ok(Some(place)) => expect = place,
            Ok(None) => return Ok(None),
            Err(_) => return Err(NotAnnounced),
        }
    }
    Err(NotAnnounced)
}

/// What is written down of a chain that is about to be replaced. The user may have signed out, and the platform not
/// heard of it yet; but nobody has looked at the new note: its failures are counted anew.
fn to_be_replaced(record: &GrantRecord) -> Option<GrantRecord> {
    let mut stone = match &record.state {
        RecordState::SignedOut { .. } => record.clone(),
        RecordState::Idle { .. } | RecordState::Refreshing { .. } | RecordState::Ended { .. } => {
            record.signed_out(None)?
        }
    };
    if let RecordState::SignedOut { failures, .. } = &mut stone.state {
        *failures = 0;
    }
    Some(stone)
}

/// A chain was announced to be replaced, and still stands: whoever announced it has died, or its clock is behind
/// this one and it is still at it. Looked at once more before the announcement is deleted. `true`: it is.
pub(super) async fn give_up(client: &ClientState, key: &RecordKey, mut stone: Tombstone) -> bool {
    let RecordState::SignedOut { failures, .. } = &mut stone.record.state else {
        return true;
    };
    if *failures > 0 {
        client.records.delete(key, stone.version).await;
        return true;
    }
    *failures = 1;
    // Where it may not be noted, it is still due, and looked at once more than it need be.
    let _ = put_off(client, key, stone, ANNOUNCED_FOR, None).await;
    false
}

/// Whether the chain of a tombstone is out of use: where it names the record that it stood under, that is
/// another one now. `None`: the store does not say.
pub(super) async fn was_replaced(client: &ClientState, stone: &GrantRecord) -> Option<bool> {
    let Some(under) = &stone.about.replaced_under else {
        return Some(true);
    };
    let Some(under) = RecordKey::from_hex(under) else {
        return Some(true);
    };
    match client.records.read(&under).await {
        Ok(Some(Found {
            record: StoredRecord::Grant(grant),
            ..
        })) => Some(grant.chain != stone.chain),
        Ok(_) => Some(true),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use rc_auth_core::{ChainId, Secret, Timestamp};

    use super::*;

    /// Otherwise a process whose clock is ahead takes the new note for one that was looked at before, and deletes it
    /// while the sign-in is still at work.
    #[test]
    fn a_chain_that_could_not_be_revoked_is_announced_without_its_failures() {
        let end = Timestamp::from_unix_millis(1_800_000_000_000);
        let mut tombstone = GrantRecord::orphan(ChainId::new([1; 16]), Secret::new("spent"), end);
        let unannounced = tombstone.clone();
        if let RecordState::SignedOut { failures, .. } = &mut tombstone.state {
            *failures = 3;
        }
        assert_eq!(to_be_replaced(&tombstone), Some(unannounced));
    }
}
