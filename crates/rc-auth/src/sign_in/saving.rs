//! Saving the tokens of a sign-in over whatever stands under its key.

use std::sync::Arc;

use rc_auth_core::{ChainId, GrantRecord, Input, SaveFailure, TokenPair, TokenSet, Trouble};
use rc_store::{Expect, RecordKey};

use super::token_request::unavailable;
use crate::{
    error::SignInError,
    event::EventKind,
    key::GrantKey,
    owner_index,
    records::{Found, ReadFailure, StoredRecord},
    refresh::waiting,
    revocation::{self, Announced},
    state::ClientState,
};

/// How often a write whose outcome is unknown is looked after before giving up.
const SAVE_TRIES: u32 = 20;

/// Saves the tokens of a sign-in, whatever stands under the key, and revokes the chain it replaces.
///
/// Tokens that cannot be saved are revoked: a sign-in that is not in the store does not exist. Before they
/// are saved, the sign-in is entered into the index of its owner.
pub(crate) async fn save_grant(
    client: &Arc<ClientState>,
    key: &GrantKey,
    label: Option<&str>,
    tokens: TokenSet,
) -> Result<ChainId, SignInError> {
    let chain = ChainId::new(client.draw().map_err(|_| SignInError::Entropy)?);
    let record_key = key.record_key(&client.platform.app);
    let now = client.environment.wall();
    let record = GrantRecord::signed_in(chain, TokenPair::new(tokens), now);
    let owner_id = record.pair().and_then(|pair| pair.owner_id());
    if let Some(owner_id) = owner_id {
        let entry = owner_index::entry(&record_key, key, chain, now, label);
        owner_index::enter(client, owner_id, entry).await;
    }
    let Some(replaced) = replace(client, &record_key, &record).await else {
        if let Some(owner_id) = owner_id {
            owner_index::leave_later(client, owner_id, record_key, chain);
        }
        if let Some(token) = record.revocable().cloned() {
            let work = revocation::of_orphan(client.clone(), token);
            client.tasks.spawn("revocation", work);
        }
        return Err(unavailable(Trouble::Store, None));
    };
    let live = client.live(record_key);
    live.set_leaving(false, client.now());
    waiting::input(client, &live, Input::SignedIn);
    tracing::info!(record = ?record_key, "signed in");
    client.emit(record_key, EventKind::SignedIn);
    if let Some((owner_id, chain)) = replaced.sign_in {
        owner_index::leave_later(client, &owner_id, record_key, chain);
    }
    if let Some(replaced) = replaced.announced {
        let work = revocation::of_replaced(client.clone(), replaced);
        client.tasks.spawn("revocation", work);
    }
    Ok(chain)
}

/// What stood under the key before.
#[derive(Default)]
struct Replaced {
    /// Its chain, as far as there is something to revoke.
    announced: Option<Announced>,
    /// Its owner and its chain, as far as they are in an index.
    sign_in: Option<(String, ChainId)>,
}

/// Writes `record` over whatever is there, and gives back what is replaced by it, whose chain is announced
/// before. `None`: the store does not answer.
async fn replace(client: &ClientState, key: &RecordKey, record: &GrantRecord) -> Option<Replaced> {
    let pair = record.pair()?;
    let due = client.policy.due_at(pair, &record.about);
    let stored = StoredRecord::Grant(record.clone());
    let mut before = Replaced::default();
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
                record:
                    StoredRecord::UsedState(_) | StoredRecord::Mark(_) | StoredRecord::OwnerIndex(_),
                ..
            }))
            | Err(ReadFailure::Unreadable) => return None,
            Err(ReadFailure::Unavailable) => {
                client.sleep(client.policy.retry_first).await;
                continue;
            }
        };
        if let Some(current) = &current {
            let owner_id = current.pair().and_then(|pair| pair.owner_id());
            before = Replaced {
                announced: revocation::announce(client, key, current).await,
                sign_in: owner_id.map(|id| (id.to_owned(), current.chain)),
            };
        }
        match client.records.write(key, &stored, due, expect).await {
            Ok(_) => return Some(before),
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) => client.sleep(client.policy.retry_first).await,
        }
    }
    None
}
