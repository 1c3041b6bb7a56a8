//! Telling the platform that a chain is over, until it has heard.

use std::{sync::Arc, time::Duration};

use rc_auth_core::{
    AuthLane, AuthRequest, ChainId, Endpoint, GrantRecord, RecordState, RefreshReplay, Refusal,
    Reply, Secret, Timestamp, TokenError, TokenSet, Unfinished, refresh_request,
    revocation_request,
};
use rc_store::{Expect, RecordKey, Version};

use crate::{
    key::revocation_record_key,
    record::StoredRecord,
    shared::{ErrorChain, Shared, lock, response},
    tasks::guarded,
    telemetry,
};

/// The first pause after a revocation that failed; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How long a chain of unknown life is taken to live: as long as RingCentral's longest refresh tokens.
const ASSUMED_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A grant that is written down as signed out.
pub(crate) struct Tombstone {
    pub(crate) record: GrantRecord,
    pub(crate) version: Version,
}

/// Goes on with a grant that is written down as signed out: asks for what was unfinished, revokes the
/// chain, and deletes the record. `true`: nothing is left to do.
pub(crate) async fn resume(shared: &Arc<Shared>, key: &RecordKey, mut stone: Tombstone) -> bool {
    let RecordState::SignedOut {
        token,
        failures,
        chain_ends_at,
        unfinished,
        reason,
    } = stone.record.state.clone()
    else {
        return true;
    };
    let now = shared.now().wall;
    let ends_at = chain_ends_at.unwrap_or_else(|| now.saturating_add(ASSUMED_LIFE));
    // Tried once whatever the clock says: it may be wrong.
    let is_worth_it = now < ends_at || failures == 0;
    let Some(token) = token.filter(|_| is_worth_it) else {
        shared.delete(key, stone.version).await;
        return true;
    };
    let (token, unfinished) = match unfinished {
        Some(what) => ask_for_unfinished(shared, token, what).await,
        None => (token, None),
    };
    let settled = unfinished.is_none() && revoke(shared, &token).await;
    if settled {
        shared.delete(key, stone.version).await;
        return true;
    }
    stone.record.state = RecordState::SignedOut {
        token: Some(token),
        failures: failures.saturating_add(1),
        chain_ends_at: Some(ends_at),
        unfinished,
        reason,
    };
    let due = shared.now().wall.saturating_add(pause(shared, failures));
    let stored = StoredRecord::Grant(stone.record);
    let expect = Expect::Version(stone.version);
    if let Err(failure) = shared.write(key, &stored, due, expect).await {
        // Still due: the next sweep finds it as it is.
        tracing::warn!(record = ?key, ?failure, "a failed revocation could not be noted");
    }
    false
}

/// Doubled each time, and spread by up to as much again, so that an outage is not followed by a rush.
fn pause(shared: &Shared, failures: u8) -> Duration {
    let pause = FIRST_PAUSE
        .saturating_mul(1 << failures.min(11))
        .min(LONGEST_PAUSE);
    let [spread] = shared.draw().unwrap_or([128]);
    pause / 2 + pause / 2 * u32::from(spread) / 255
}

/// A refresh was unfinished when the user left: the platform may have given out a pair that nobody has
/// seen. Where it repeats its answers, it is asked once more, so that what comes back can be revoked.
///
/// Gives the token to revoke, and what is still unfinished.
async fn ask_for_unfinished(
    shared: &Shared,
    token: Secret,
    unfinished: Unfinished,
) -> (Secret, Option<Unfinished>) {
    if shared.policy.replay == RefreshReplay::None {
        return (token, None);
    }
    let now = shared.now();
    let lane = AuthRequest::Refresh {
        access_token_lives: true,
    };
    if lock(&shared.gate)
        .take_token_request(lane, now.mono)
        .is_err()
    {
        return (token, Some(unfinished));
    }
    let request = refresh_request(&shared.app, &token);
    let timeout = shared.policy.request_timeout;
    let reply = shared
        .send_token_request(AuthLane::Refresh, "refresh_token", request, timeout)
        .await;
    let Reply::Response(response) = reply else {
        return (token, Some(unfinished));
    };
    match TokenSet::from_response(&response, shared.now().wall) {
        Ok(tokens) => {
            let newest = tokens.refresh_token.or(tokens.access_token);
            (newest.unwrap_or(token), None)
        }
        // The grace is over, or the chain: what is known is all there is to revoke.
        Err(TokenError::Refused(refusal)) if refusal.ends_grant() => (token, None),
        Err(_) => (token, Some(unfinished)),
    }
}

/// Revokes the chain of a token, once. `true`: the platform has answered that it is dead.
async fn revoke(shared: &Shared, token: &Secret) -> bool {
    let now = shared.now().mono;
    let open = lock(&shared.gate)
        .take_token_request(AuthRequest::Revoke, now)
        .is_ok();
    let settled = open && send(shared, token).await;
    telemetry::revocation(settled);
    settled
}

async fn send(shared: &Shared, token: &Secret) -> bool {
    let request = revocation_request(&shared.app, token);
    let timeout = shared.policy.request_timeout;
    match guarded(shared.send_to_auth(AuthLane::Revoke, request, timeout)).await {
        Ok(Ok(incoming)) if incoming.status.is_success() => true,
        Ok(Ok(incoming)) => {
            let refusal =
                Refusal::from_response(&response(incoming)).without_echo_of(token.expose());
            let verdict = refusal.verdict(Endpoint::Revoke);
            let dead = names_the_token_dead(&refusal);
            tracing::warn!(%refusal, ?verdict, dead, "the platform refused a revocation");
            dead
        }
        Ok(Err(error)) => {
            tracing::warn!(error = %ErrorChain(&error), "a revocation got no answer");
            false
        }
        Err(_) => {
            tracing::error!("the transport panicked during a revocation");
            false
        }
    }
}

/// Whether an answer says that the token is unknown or invalid, so that nothing is left to revoke (RFC
/// 7009 section 2.2). Everything else (408, 401, 429, 5xx, HTML) says nothing about the token.
fn names_the_token_dead(refusal: &Refusal) -> bool {
    refusal.ends_grant()
        || (refusal.status() == http::StatusCode::BAD_REQUEST
            && refusal.error() == Some("invalid_token"))
}

/// Revokes the chain of a record that another sign-in has replaced. Written down first, in a record of
/// its own, so that a crash or an outage only delays it.
pub(crate) async fn of_replaced(shared: Arc<Shared>, replaced: GrantRecord) {
    let stone = match &replaced.state {
        RecordState::SignedOut { .. } => Some(replaced),
        RecordState::Idle { .. } | RecordState::Refreshing { .. } | RecordState::Ended { .. } => {
            replaced.signed_out(None)
        }
    };
    if let Some(record) = stone {
        bury(&shared, record).await;
    }
}

/// Revokes the chain of a token that is in no record.
pub(crate) async fn of_orphan(shared: Arc<Shared>, token: Secret) {
    let Ok(chain) = shared.draw() else {
        tracing::error!("the operating system gives no random numbers");
        return;
    };
    let now = shared.now().wall;
    let record = GrantRecord::orphan(ChainId::new(chain), token, now.saturating_add(ASSUMED_LIFE));
    bury(&shared, record).await;
}

async fn bury(shared: &Arc<Shared>, record: GrantRecord) {
    let Some(token) = record.revocable().cloned() else {
        return;
    };
    let key = revocation_record_key(&shared.app, &token);
    let due: Timestamp = shared.now().wall.saturating_add(FIRST_PAUSE);
    let stored = StoredRecord::Grant(record.clone());
    match shared.write(&key, &stored, due, Expect::Absent).await {
        Ok(version) => {
            resume(shared, &key, Tombstone { record, version }).await;
        }
        Err(failure) => {
            tracing::warn!(
                ?failure,
                "a revocation could not be noted; it is tried once"
            );
            revoke(shared, &token).await;
        }
    }
}
