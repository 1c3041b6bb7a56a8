//! Saving the tokens of a sign-in over whatever stands under its key.

use std::sync::Arc;

use rc_auth_core::{ChainId, GrantRecord, Input, SaveFailure, TokenPair, TokenSet, Trouble};
use rc_store::{Expect, RecordKey};

use super::token_request::unavailable;
use crate::{
    error::SignInError,
    event::EventKind,
    key::GrantKey,
    records::{Found, ReadFailure, StoredRecord},
    refresh::waiting,
    revocation::{self, Announced},
    state::ClientState,
};

/// How often a write whose outcome is unknown is looked after before giving up.
const SAVE_TRIES: u32 = 20;

/// Saves the tokens of a sign-in, whatever stands under the key, and revokes the chain it replaces.
///
/// Tokens that cannot be saved are revoked: a sign-in that is not in the store does not exist.
pub(crate) async fn save_grant(
    client: &Arc<ClientState>,
    key: &GrantKey,
    tokens: TokenSet,
) -> Result<ChainId, SignInError> {
    let chain = ChainId::new(client.draw().map_err(|_| SignInError::Entropy)?);
    let record_key = key.record_key(&client.platform.app);
    let now = client.environment.wall();
    let record = GrantRecord::signed_in(chain, TokenPair::new(tokens), now);
    let Some(replaced) = replace(client, &record_key, &record).await else {
        if let Some(token) = record.revocable().cloned() {
            let work = revocation::of_orphan(client.clone(), token);
            client.tasks.spawn("revocation", work);
        }
        return Err(unavailable(Trouble::Store, None));
    };
    let live = client.live(record_key);
    live.set_leaving(false, client.now());
    waiting::input(client, &live, Input::Changed);
    tracing::info!(record = ?record_key, "signed in");
    client.emit(record_key, EventKind::SignedIn);
    if let Some(replaced) = replaced {
        let work = revocation::of_replaced(client.clone(), replaced);
        client.tasks.spawn("revocation", work);
    }
    Ok(chain)
}

/// Writes `record` over whatever is there, and gives back the chain that is replaced by it, which is
/// announced before. `None`: the store does not answer.
async fn replace(
    client: &ClientState,
    key: &RecordKey,
    record: &GrantRecord,
) -> Option<Option<Announced>> {
    let pair = record.pair()?;
    let due = client.policy.due_at(pair, &record.about);
    let stored = StoredRecord::Grant(record.clone());
    let mut before = None;
    for _ in 0..SAVE_TRIES {
        let (expect, current) = match client.records.read(key).await {
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
                client.sleep(client.policy.retry_first).await;
                continue;
            }
        };
        if let Some(current) = &current {
            before = revocation::announce(client, key, current).await;
        }
        match client.records.write(key, &stored, due, expect).await {
            Ok(_) => return Some(before),
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) => client.sleep(client.policy.retry_first).await,
        }
    }
    None
}
