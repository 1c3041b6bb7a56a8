//! The end of a grant by its user: written down, then revoked, then deleted.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{GrantRecord, Input, RecordState, SaveFailure};
use rc_store::{Expect, RecordKey, Version};

use crate::{
    EventKind, GrantError,
    record::StoredRecord,
    shared::{Found, ReadFailure, Shared},
};

/// What a sign-out came to. In every case the grant is over here, for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SignedOut {
    /// The platform has revoked the whole chain.
    Revoked,
    /// The platform has not answered yet. It is written down, and the sweeper tries again.
    RevocationPending,
    /// There was nothing to sign out.
    AlreadyOver,
}

/// How long the caller waits for the platform's word. The revocation goes on after that.
const PATIENCE: Duration = Duration::from_secs(5);
const SAVE_TRIES: u32 = 8;
/// How often a revocation that fails is tried by the sweeper before the record is given up. The tokens
/// die by themselves then.
pub(crate) const MAX_FAILURES: u8 = 10;

/// A grant that is written down as signed out.
struct Tombstone {
    record: GrantRecord,
    version: Version,
}

pub(crate) async fn sign_out(
    shared: &Arc<Shared>,
    key: RecordKey,
) -> Result<SignedOut, GrantError> {
    let task = {
        let shared = shared.clone();
        shared
            .tasks
            .clone()
            .spawn(async move { begin(&shared, key).await })
    };
    let lost = || GrantError::Unavailable {
        retry_at: None,
        trouble: None,
    };
    let Some(tombstone) = task.await.map_err(|_| lost())?? else {
        return Ok(SignedOut::AlreadyOver);
    };
    let revocation = {
        let shared = shared.clone();
        shared
            .tasks
            .clone()
            .spawn(async move { finish(&shared, &key, tombstone).await })
    };
    let deadline = shared.now().mono + PATIENCE;
    tokio::select! {
        revoked = revocation => Ok(match revoked {
            Ok(true) => SignedOut::Revoked,
            Ok(false) | Err(_) => SignedOut::RevocationPending,
        }),
        () = shared.clock.sleep_until(deadline) => Ok(SignedOut::RevocationPending),
    }
}

/// Invariant 6: first it is written that the grant is signed out.
async fn begin(shared: &Arc<Shared>, key: RecordKey) -> Result<Option<Tombstone>, GrantError> {
    for _ in 0..SAVE_TRIES {
        let (mut record, version) = match shared.read(&key).await {
            Ok(Some(Found {
                record: StoredRecord::Grant(record),
                version,
            })) => (record, version),
            Ok(
                Some(Found {
                    record: StoredRecord::UsedState(_),
                    ..
                })
                | None,
            ) => return Ok(None),
            Err(ReadFailure::Unreadable) => {
                return Err(unavailable(rc_auth_core::Trouble::Record));
            }
            Err(ReadFailure::Unavailable) => {
                shared
                    .clock
                    .sleep_until(shared.now().mono + shared.policy.retry_first)
                    .await;
                continue;
            }
        };
        if matches!(record.state, RecordState::SignedOut { .. }) {
            return Ok(Some(Tombstone { record, version }));
        }
        let Some(token) = record.revocable().cloned() else {
            shared.delete(&key, version).await;
            return Ok(None);
        };
        record.state = RecordState::SignedOut {
            token: Some(token),
            failures: 0,
        };
        let stored = StoredRecord::Grant(record.clone());
        match shared
            .write(&key, &stored, shared.clock.wall(), Expect::Version(version))
            .await
        {
            Ok(version) => {
                shared.slot(key).input(shared, Input::SignedOut);
                tracing::info!(record = ?key, "signed out");
                return Ok(Some(Tombstone { record, version }));
            }
            // Somebody refreshed meanwhile, or it may have been written: look again.
            Err(SaveFailure::Conflict | SaveFailure::OutcomeUnknown) => {}
        }
    }
    Err(unavailable(rc_auth_core::Trouble::Store))
}

/// Then the chain is revoked, then the record deleted. `true`: nothing is left to do.
async fn finish(shared: &Arc<Shared>, key: &RecordKey, tombstone: Tombstone) -> bool {
    let revoked = resume(shared, key, tombstone.record, tombstone.version).await;
    shared.slot(*key).input(shared, Input::Changed);
    shared.emit(*key, EventKind::SignedOut { revoked });
    revoked
}

/// Goes on with a grant that is written down as signed out.
pub(crate) async fn resume(
    shared: &Arc<Shared>,
    key: &RecordKey,
    record: GrantRecord,
    version: Version,
) -> bool {
    let RecordState::SignedOut { token, failures } = &record.state else {
        return true;
    };
    let settled = match token {
        Some(token) => shared.revoke(token).await,
        None => true,
    };
    if settled || *failures >= MAX_FAILURES {
        shared.delete(key, version).await;
        return settled;
    }
    let failures = failures.saturating_add(1);
    let delay = shared
        .policy
        .trouble_first
        .saturating_mul(1 << failures.min(8))
        .min(Duration::from_secs(3600));
    let state = RecordState::SignedOut {
        token: token.clone(),
        failures,
    };
    let stored = StoredRecord::Grant(GrantRecord { state, ..record });
    let due = shared.clock.wall().saturating_add(delay);
    if let Err(failure) = shared
        .write(key, &stored, due, Expect::Version(version))
        .await
    {
        // Still due: the next sweep finds it as it is.
        tracing::warn!(record = ?key, ?failure, "a failed revocation could not be noted");
    }
    false
}

fn unavailable(trouble: rc_auth_core::Trouble) -> GrantError {
    GrantError::Unavailable {
        retry_at: None,
        trouble: Some(Box::new(trouble)),
    }
}
