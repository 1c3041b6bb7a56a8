//! The end of a grant by its user: written down, then revoked, then deleted.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{
    ChainId, EndReason, GrantRecord, Input, RecordState, RecordVersion, SaveFailure, Trouble,
};
use rc_store::{Expect, RecordKey, Version};
use tokio::sync::watch;

use crate::{
    error::GrantError,
    event::EventKind,
    owner_index,
    records::{Found, ReadFailure, StoredRecord},
    refresh::waiting,
    revocation::{self, Tombstone},
    state::ClientState,
};

/// What a sign-out came to. In every case the grant is over here, for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SignedOut {
    /// The platform has revoked the whole chain.
    Revoked,
    /// The platform has not answered yet. It is written down, and the sweeper tries again until the chain
    /// would have ended by itself.
    RevocationPending,
    /// There was nothing to sign out.
    AlreadyOver,
}

/// How long the caller waits for the platform's word. The revocation goes on after that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a sign-out is tried to be written down while the store does not answer. By then an access
/// token that is still in use somewhere has ended several times over.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The longest pause between two tries, that of a grant whose store is down. Until then this process tells somebody who
/// has signed in elsewhere meanwhile that they have signed out.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a grant is ended. By default: by its user, whichever sign-in stands under the key.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ending {
    /// Why, if not by its user.
    pub(crate) reason: Option<EndReason>,
    /// Only this sign-in is ended, not one that has replaced it.
    pub(crate) only: Option<ChainId>,
    /// Somebody else takes it out of the index of its owner.
    pub(crate) stays_in_index: bool,
}

type Progress = Option<Result<SignedOut, GrantError>>;

/// Signs out in one task, which goes on without its caller: what is written down is revoked.
pub(crate) async fn sign_out(
    client: &Arc<ClientState>,
    key: RecordKey,
    ending: Ending,
) -> Result<SignedOut, GrantError> {
    let (tell, mut told) = watch::channel::<Progress>(None);
    let task = run(client.clone(), key, ending, tell);
    client.tasks.spawn("sign-out", task);
    let is_over =
        |progress: &Progress| !matches!(progress, None | Some(Ok(SignedOut::RevocationPending)));
    // First until it is written down; then for the platform's word.
    tokio::select! {
        biased;
        told = told.wait_for(Option::is_some) => {
            told.map_err(|_| lost())?;
        }
        () = client.environment.sleep_until(client.deadline()) => {
            return Err(unavailable(Trouble::Store));
        }
    }
    let deadline = client.now().mono + PATIENCE;
    tokio::select! {
        biased;
        _ = told.wait_for(is_over) => {}
        () = client.environment.sleep_until(deadline) => {}
    }
    let progress = told.borrow().clone();
    progress.unwrap_or_else(|| Err(lost()))
}

async fn run(
    client: Arc<ClientState>,
    key: RecordKey,
    ending: Ending,
    tell: watch::Sender<Progress>,
) {
    let live = client.live(key);
    // From now on this process serves nobody with it, whatever the store says.
    let sign_out = live.leave(client.now());
    let begun = begin(&client, key, ending).await;
    live.end_leaving(sign_out, client.now());
    let stone = match begun {
        Ok(Begun::Stone(stone)) => stone,
        Ok(Begun::Done(done)) => {
            tell.send_replace(Some(Ok(done)));
            return;
        }
        Err(error) => {
            tracing::error!(record = ?key, %error, "a sign-out could not be written down: the grant stands");
            tell.send_replace(Some(Err(error)));
            return;
        }
    };
    tell.send_replace(Some(Ok(SignedOut::RevocationPending)));
    if finish(&client, key, *stone).await {
        tell.send_replace(Some(Ok(SignedOut::Revoked)));
    }
}

/// What writing down the end of a grant came to.
pub(crate) enum Begun {
    /// It is written down; the chain is to be revoked.
    Stone(Box<Tombstone>),
    /// There is nothing left to do.
    Done(SignedOut),
}

/// Invariant 6: first it is written that the grant is over.
pub(crate) async fn begin(
    client: &Arc<ClientState>,
    key: RecordKey,
    ending: Ending,
) -> Result<Begun, GrantError> {
    let reason = ending.reason;
    // A write whose outcome is unknown may have been ours, and a sweeper may have finished it since.
    let mut may_be_ours = false;
    // Who signs in again meanwhile is not signed out.
    let mut chain = ending.only;
    // Where the record could not be read before the caller was told so, that goes by the clock.
    let (asked_at, told_at) = (client.environment.wall(), client.deadline());
    // A grant that is ended by the clock is found again by the next sweep.
    let patience = reason.map_or(GIVE_UP_AFTER, |_| client.call_timeout);
    let give_up = client.now().mono + patience;
    let mut pause = client.policy.retry_first;
    while client.now().mono < give_up && !client.tasks.closing.is_cancelled() {
        // A process may stand still until the answer is here.
        let is_late = chain.is_none() && client.now().mono > told_at;
        let (record, version) = match client.records.read(&key).await {
            Ok(Some(Found {
                record: StoredRecord::Grant(record),
                version,
            })) => (record, version),
            Ok(_) if may_be_ours => return Ok(Begun::Done(SignedOut::Revoked)),
            Ok(_) => return Ok(Begun::Done(SignedOut::AlreadyOver)),
            Err(ReadFailure::Unreadable) => return Err(unavailable(Trouble::Record)),
            Err(ReadFailure::Unavailable) => {
                wait(client, &mut pause).await;
                continue;
            }
        };
        if matches!(record.state, RecordState::SignedOut { .. }) {
            hear(client, key, &version);
            return Ok(Begun::Stone(Box::new(Tombstone { record, version })));
        }
        let is_later = record.about.made_at.is_some_and(|made| made > asked_at);
        let again = is_late && is_later || *chain.get_or_insert(record.chain) != record.chain;
        if again || (reason.is_none() && !client.live(key).is_leaving()) {
            return Ok(Begun::Done(SignedOut::AlreadyOver));
        }
        let before = record;
        let Some(record) = before.signed_out(reason) else {
            client.records.delete(&key, version).await;
            leave_index(client, key, &before, ending);
            return Ok(Begun::Done(SignedOut::AlreadyOver));
        };
        let stored = StoredRecord::Grant(record.clone());
        let due = client.environment.wall();
        match client
            .records
            .write(&key, &stored, due, Expect::Version(version))
            .await
        {
            Ok(version) => {
                hear(client, key, &version);
                tracing::info!(record = ?key, ?reason, "signed out");
                leave_index(client, key, &before, ending);
                return Ok(Begun::Stone(Box::new(Tombstone { record, version })));
            }
            // Somebody refreshed meanwhile: look again.
            Err(SaveFailure::Conflict) => {}
            Err(SaveFailure::OutcomeUnknown) => {
                may_be_ours = true;
                wait(client, &mut pause).await;
            }
        }
    }
    Err(unavailable(Trouble::Store))
}

/// The grant of this process hears that it is signed out.
fn hear(client: &Arc<ClientState>, key: RecordKey, version: &Version) {
    let version = RecordVersion::new(*version.as_bytes());
    waiting::input(client, &client.live(key), Input::SignedOut(version));
}

/// Takes a grant that has just been ended out of the index of its owner.
fn leave_index(client: &Arc<ClientState>, key: RecordKey, before: &GrantRecord, ending: Ending) {
    let owner_id = before.pair().and_then(|pair| pair.owner_id());
    if let Some(owner_id) = owner_id.filter(|_| !ending.stays_in_index) {
        owner_index::leave_later(client, owner_id, key, before.chain);
    }
}

async fn wait(client: &ClientState, pause: &mut Duration) {
    let sleep = client.sleep(*pause);
    tokio::select! {
        biased;
        () = client.tasks.closing.cancelled() => {}
        () = sleep => {}
    }
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

/// Then the chain is revoked, then the record deleted. `true`: nothing is left to do.
pub(crate) async fn finish(client: &Arc<ClientState>, key: RecordKey, stone: Tombstone) -> bool {
    let revoked = revocation::resume(client, &key, stone).await;
    waiting::input(client, &client.live(key), Input::Changed);
    client.emit(key, EventKind::SignedOut { revoked });
    revoked
}

const fn lost() -> GrantError {
    GrantError::Unavailable {
        retry_at: None,
        trouble: None,
    }
}

pub(crate) fn unavailable(trouble: Trouble) -> GrantError {
    GrantError::Unavailable {
        retry_at: None,
        trouble: Some(Box::new(trouble)),
    }
}
