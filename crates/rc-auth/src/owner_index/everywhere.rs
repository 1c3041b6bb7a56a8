//! The end of all sign-ins of one owner.

use std::sync::Arc;

use futures_util::future::join_all;
use rc_auth_core::{ChainId, Trouble};
use rc_store::RecordKey;

use super::{
    leave,
    listing::{Behind, This, look},
};
use crate::{
    error::GrantError,
    key::{GrantKey, owner_record_key},
    sign_out::{self, Ending, SignedOut},
    state::ClientState,
};

/// What signing out everywhere came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SignedOutEverywhere {
    /// How many sign-ins were ended. Of some the platform may not have heard yet: that is written down and
    /// tried again.
    pub ended: usize,
    /// Those that may still stand, and why. Asking once more later tries them again.
    pub failed: Vec<(GrantKey, GrantError)>,
}

/// A sign-in that is to be ended.
struct Leaving {
    key: GrantKey,
    record: RecordKey,
    /// The sign-in itself; whoever signs in under the same key meanwhile stays.
    chain: ChainId,
}

/// Signs an owner out wherever they are signed in, in a task of its own.
pub(crate) async fn sign_out(
    client: &Arc<ClientState>,
    owner_id: &str,
) -> Result<SignedOutEverywhere, GrantError> {
    in_a_task(client, owner_id.to_owned(), None).await
}

/// Signs the owner of a grant out wherever they are signed in, the grant itself in any case.
pub(crate) async fn sign_out_beside(
    client: &Arc<ClientState>,
    this: This,
) -> Result<SignedOutEverywhere, GrantError> {
    let own = Leaving {
        key: this.key,
        record: this.record,
        chain: this.chain,
    };
    match this.owner_id {
        Some(owner_id) => in_a_task(client, owner_id, Some(own)).await,
        None => Ok(end_all(client, &[own]).await),
    }
}

async fn in_a_task(
    client: &Arc<ClientState>,
    owner_id: String,
    own: Option<Leaving>,
) -> Result<SignedOutEverywhere, GrantError> {
    let state = client.clone();
    let work = async move { run(&state, &owner_id, own).await };
    let done = client.tasks.run("sign-out", work).await;
    done.unwrap_or_else(|_| Err(sign_out::unavailable(Trouble::Store)))
}

async fn run(
    client: &Arc<ClientState>,
    owner_id: &str,
    own: Option<Leaving>,
) -> Result<SignedOutEverywhere, GrantError> {
    let mut leaving = Vec::new();
    for looked in look(client, owner_id).await? {
        match looked.behind {
            Behind::Standing(_) | Behind::Unknown(_) => leaving.push(Leaving {
                key: GrantKey::new(looked.entry.key),
                record: looked.record,
                chain: looked.entry.chain,
            }),
            Behind::Over | Behind::Absent => {}
        }
    }
    if let Some(own) = own
        && !leaving.iter().any(|other| other.is(&own))
    {
        leaving.push(own);
    }
    let all = end_all(client, &leaving).await;
    let over = leaving
        .into_iter()
        .filter(|one| !all.failed.iter().any(|(key, _)| *key == one.key))
        .map(|one| (one.record, one.chain));
    let index = owner_record_key(&client.platform.app, owner_id);
    leave(client, &index, over.collect()).await;
    Ok(all)
}

/// Ends them side by side: one whose revocation hangs keeps no other.
async fn end_all(client: &Arc<ClientState>, leaving: &[Leaving]) -> SignedOutEverywhere {
    let outs = leaving.iter().map(|one| {
        let ending = Ending {
            only: Some(one.chain),
            stays_in_index: true,
            ..Ending::default()
        };
        sign_out::sign_out(client, one.record, ending)
    });
    let mut all = SignedOutEverywhere::default();
    for (one, out) in leaving.iter().zip(join_all(outs).await) {
        match out {
            Ok(SignedOut::AlreadyOver) => {}
            Ok(SignedOut::Revoked | SignedOut::RevocationPending) => all.ended += 1,
            Err(error) => all.failed.push((one.key.clone(), error)),
        }
    }
    all
}

impl Leaving {
    fn is(&self, other: &Self) -> bool {
        self.record == other.record && self.chain == other.chain
    }
}
