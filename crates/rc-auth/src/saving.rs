//! Saving the tokens of a sign-in over whatever stands under its key.

use std::sync::Arc;

use rc_auth_core::{ChainId, GrantRecord, Input, SaveFailure, TokenPair, TokenSet, Trouble};
use rc_store::{Expect, RecordKey};

use crate::{
    EventKind, GrantKey, SignInError,
    record::StoredRecord,
    revocation::{self, Announced},
    shared::{Found, ReadFailure, Shared},
    token_request::unavailable,
};

/// How often a write whose outcome is unknown is looked after before giving up.
const SAVE_TRIES: u32 = 20;

/// Saves the tokens of a sign-in, whatever stands under the key, and revokes the chain it replaces.
///
/// Tokens that cannot be saved are revoked: a sign-in that is not in the store does not exist.
pub(crate) async fn save_grant(
    shared: &Arc<Shared>,
    key: &GrantKey,
    tokens: TokenSet,
) -> Result<ChainId, SignInError> {
    let chain = ChainId::new(shared.draw().map_err(|_| SignInError::Entropy)?);
    let record_key = key.record_key(&shared.app);
    let now = shared.environment.wall();
    let record = GrantRecord::signed_in(chain, TokenPair::new(tokens), now);
    let Some(replaced) = replace(shared, &record_key, &record).await else {
        if let Some(token) = record.revocable().cloned() {
            let work = revocation::of_orphan(shared.clone(), token);
            shared.tasks.spawn("revocation", work);
        }
        return Err(unavailable(Trouble::Store, None));
    };
    let slot = shared.slot(record_key);
    slot.set_leaving(shared, false);
    slot.input(shared, Input::Changed);
    tracing::info!(record = ?record_key, "signed in");
    shared.emit(record_key, EventKind::SignedIn);
    if let Some(replaced) = replaced {
        let work = revocation::of_replaced(shared.clone(), replaced);
        shared.tasks.spawn("revocation", work);
    }
    Ok(chain)
}

/// Writes `record` over whatever is there, and gives back the chain that is replaced by it, which is
/// announced before. `None`: the store does not answer.
async fn replace(
    shared: &Shared,
    key: &RecordKey,
    record: &GrantRecord,
) -> Option<Option<Announced>> {
    let pair = record.pair()?;
    let due = shared.policy.due_at(pair, &record.about);
    let stored = StoredRecord::Grant(record.clone());
    let mut before = None;
    for _ in 0..SAVE_TRIES {
        let (expect, current) = match shared.read(key).await {
            Ok(None) => (Expect::Absent, None),
            Ok(Some(Found {
                record: StoredRecord::Grant(grant),
                version,
            })) => {
                if grant.chain == record.chain {
                    // Ours: a write whose outcome was unknown.
                    return Some(before);
                }
                (Expect::Version(version), Some(grant))
            }
            Ok(Some(Found {
                record: StoredRecord::UsedState(_) | StoredRecord::Mark(_),
                ..
            }))
            | Err(ReadFailure::Unreadable) => return None,
            Err(ReadFailure::Unavailable) => {
                shared.sleep(shared.policy.retry_first).await;
                continue;
            }
        };
        if let Some(current) = &current {
            before = revocation::announce(shared, key, current).await;
        }
        match shared.write(key, &stored, due, expect).await {
            Ok(_) => return Some(before),
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) => shared.sleep(shared.policy.retry_first).await,
        }
    }
    None
}
