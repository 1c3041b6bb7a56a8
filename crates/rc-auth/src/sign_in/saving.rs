//! Saving the tokens of a sign-in over whatever stands under its key.

use std::{sync::Arc, time::Duration};

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
    sign_out::{self, Ending},
    state::ClientState,
};

/// How often a write whose outcome is unknown is looked after before giving up.
const SAVE_TRIES: u32 = 20;

/// How long after a sign-in was given up a write of it may still be carried out.
const LATEST_WRITE: Duration = Duration::from_secs(60);

/// The longest pause between two looks at what became of it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Saves the tokens of a sign-in, whatever stands under the key, and revokes the chain it replaces.
///
/// Tokens that cannot be saved are revoked: a sign-in that is not in the store does not exist. Where whether they
/// were saved is not known, that is found out first, after the caller was told that it failed. Before they are saved,
/// the sign-in is entered into the index of its owner.
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
    let mut before = Replaced::default();
    match replace(client, &record_key, &record, &mut before).await {
        Saved::Yes => {
            signed_in(client, record_key, before);
            return Ok(chain);
        }
        Saved::No => drop_tokens(client, record_key, &record),
        Saved::Unknown => {
            let sign_outs = client.live(record_key).sign_outs();
            let work = find_out(client.clone(), record_key, record, before, sign_outs);
            client.tasks.spawn("sign-in in doubt", work);
        }
    }
    Err(unavailable(Trouble::Store, None))
}

/// What is to be done once a sign-in stands in the store.
fn signed_in(client: &Arc<ClientState>, key: RecordKey, before: Replaced) {
    let live = client.live(key);
    live.arrive(client.now());
    waiting::input(client, &live, Input::SignedIn);
    tracing::info!(record = ?key, "signed in");
    client.emit(key, EventKind::SignedIn);
    end_replaced(client, key, before);
}

fn end_replaced(client: &Arc<ClientState>, key: RecordKey, before: Replaced) {
    if let Some((owner_id, chain)) = before.sign_in {
        owner_index::leave_later(client, &owner_id, key, chain);
    }
    if let Some(replaced) = before.announced {
        let work = revocation::of_replaced(client.clone(), replaced);
        client.tasks.spawn("revocation", work);
    }
}

/// Revokes the tokens of a sign-in that does not stand in the store.
fn drop_tokens(client: &Arc<ClientState>, key: RecordKey, record: &GrantRecord) {
    if let Some(owner_id) = record.pair().and_then(|pair| pair.owner_id()) {
        owner_index::leave_later(client, owner_id, key, record.chain);
    }
    if let Some(token) = record.revocable().cloned() {
        let work = revocation::of_orphan(client.clone(), token);
        client.tasks.spawn("revocation", work);
    }
}

/// Finds out what became of the last write of a sign-in that was given up: it may even be carried out later.
///
/// If it stands and has replaced another sign-in of this key, it counts, because that other one is gone. If it has
/// replaced none, nobody knows of it but a caller who was told that it failed: it is ended. So it is if the user has
/// asked to be signed out since `sign_outs` of them.
async fn find_out(
    client: Arc<ClientState>,
    key: RecordKey,
    record: GrantRecord,
    before: Replaced,
    sign_outs: u64,
) {
    let until = client.now().mono + LATEST_WRITE;
    let mut pause = client.policy.retry_first;
    while !client.tasks.closing.is_cancelled() {
        match client.records.read(&key).await {
            Ok(Some(Found {
                record: StoredRecord::Grant(grant),
                ..
            })) if grant.chain == record.chain => {
                let is_wanted = before.is_any() && !has_left(&client, key, sign_outs);
                if is_wanted {
                    return signed_in(&client, key, before);
                }
                end_replaced(&client, key, before);
                return end(&client, key, &record).await;
            }
            Ok(_) if client.now().mono >= until => {
                return drop_tokens(&client, key, &record);
            }
            _ => {}
        }
        tokio::select! {
            biased;
            () = client.tasks.closing.cancelled() => {}
            () = client.sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the user has asked to be signed out, after that many sign-outs.
fn has_left(client: &ClientState, key: RecordKey, sign_outs: u64) -> bool {
    client.live(key).sign_outs() > sign_outs
}

async fn end(client: &Arc<ClientState>, key: RecordKey, record: &GrantRecord) {
    let ending = Ending {
        only: Some(record.chain),
        ..Ending::default()
    };
    if let Err(error) = sign_out::sign_out(client, key, ending).await {
        tracing::warn!(record = ?key, %error, "a sign-in that failed is not ended yet");
    }
}

/// Whether a sign-in stands in the store.
enum Saved {
    Yes,
    No,
    /// It may, or may come to.
    Unknown,
}

/// What stood under the key before.
#[derive(Default)]
struct Replaced {
    /// Its chain, as far as there is something to revoke.
    announced: Option<Announced>,
    /// Its owner and its chain, as far as they are in an index.
    sign_in: Option<(String, ChainId)>,
}

impl Replaced {
    const fn is_any(&self) -> bool {
        self.announced.is_some() || self.sign_in.is_some()
    }
}

/// Writes `record` over whatever is there; what is replaced by it, whose chain is announced before, comes to stand in
/// `before`.
async fn replace(
    client: &ClientState,
    key: &RecordKey,
    record: &GrantRecord,
    before: &mut Replaced,
) -> Saved {
    let Some(pair) = record.pair() else {
        return Saved::No;
    };
    let due = client.policy.due_at(pair, &record.about);
    let mut record = record.clone();
    let mut given_up = Saved::No;
    for _ in 0..SAVE_TRIES {
        let (expect, current) = match client.records.read(key).await {
            Ok(None) => (Expect::Absent, None),
            Ok(Some(Found {
                record: StoredRecord::Grant(grant),
                version,
            })) => {
                if grant.chain == record.chain {
                    // Ours: a write whose outcome was unknown.
                    return Saved::Yes;
                }
                (Expect::Version(version), Some(grant))
            }
            Ok(Some(Found {
                record:
                    StoredRecord::UsedState(_) | StoredRecord::Mark(_) | StoredRecord::OwnerIndex(_),
                ..
            }))
            | Err(ReadFailure::Unreadable) => return given_up,
            Err(ReadFailure::Unavailable) => {
                client.sleep(client.policy.retry_first).await;
                continue;
            }
        };
        if let Some(current) = &current {
            let Ok(announced) = revocation::announce(client, key, current).await else {
                client.sleep(client.policy.retry_first).await;
                continue;
            };
            // A write of the sign-in before may still arrive after this one has gone, too.
            let inherited = current.about.in_doubt_until;
            record.about.in_doubt_until = record.about.in_doubt_until.max(inherited);
            let owner_id = current.pair().and_then(|pair| pair.owner_id());
            *before = Replaced {
                announced,
                sign_in: owner_id.map(|id| (id.to_owned(), current.chain)),
            };
        }
        let stored = StoredRecord::Grant(record.clone());
        match client.records.write(key, &stored, due, expect).await {
            Ok(_) => return Saved::Yes,
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) => {
                given_up = Saved::Unknown;
                if matches!(expect, Expect::Absent) {
                    let until = client.environment.wall().saturating_add(LATEST_WRITE);
                    record.about.in_doubt_until = Some(until);
                }
                client.sleep(client.policy.retry_first).await;
            }
        }
    }
    given_up
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_in_an_index_alone_was_replaced_too() {
        let replaced = |sign_in| Replaced {
            announced: None,
            sign_in,
        };
        assert!(!replaced(None).is_any());
        assert!(replaced(Some(("owner".to_owned(), ChainId::new([1; 16])))).is_any());
    }
}
