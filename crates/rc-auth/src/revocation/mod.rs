//! Telling the platform that a chain is over, until it has heard.

mod announced;
mod tombstone;

use std::{sync::Arc, time::Duration};

use rc_auth_core::{
    AuthLane, AuthRequest, ChainId, Endpoint, GrantRecord, RecordState, RefreshReplay, Refusal,
    Reply, SaveFailure, Secret, TokenError, TokenPair, TokenSet, Unfinished, refresh_request,
    revocation_request,
};
use rc_store::{Expect, RecordKey};

use crate::{
    error::ErrorChain,
    key::revocation_record_key,
    platform::response,
    records::{Found, ReadFailure, StoredRecord},
    state::ClientState,
    tasks::{guarded, lock},
    telemetry,
};

pub(crate) use self::{
    announced::{Announced, announce},
    tombstone::Tombstone,
};

/// The first pause after a revocation that failed; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How long a chain of unknown life is taken to live: as long as RingCentral's longest refresh tokens.
const ASSUMED_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What came of one try to revoke a chain.
enum Tried {
    /// Nothing is left to do.
    Done,
    /// The next sweep that finds it due goes on.
    PutOff,
    /// The same, if its record still stands, which is not known.
    Unnoted(Box<GrantRecord>),
}

/// Goes on with a grant that is written down as signed out: asks for what was unfinished, revokes the
/// chain, and deletes the record. `true`: nothing is left to do.
pub(crate) async fn resume(client: &Arc<ClientState>, key: &RecordKey, stone: Tombstone) -> bool {
    matches!(try_once(client, key, stone).await, Tried::Done)
}

async fn try_once(client: &Arc<ClientState>, key: &RecordKey, mut stone: Tombstone) -> Tried {
    match announced::was_replaced(client, &stone.record).await {
        Some(true) => stone.record.about.replaced_under = None,
        Some(false) if announced::give_up(client, key, stone).await => return Tried::Done,
        // Still due: the next sweep looks again.
        Some(false) | None => return Tried::PutOff,
    }
    let RecordState::SignedOut {
        token,
        failures,
        chain_ends_at,
        unfinished,
        reason,
    } = stone.record.state.clone()
    else {
        return Tried::Done;
    };
    let now = client.now().wall;
    let mut ends_at = chain_ends_at.unwrap_or_else(|| now.saturating_add(ASSUMED_LIFE));
    // A refresh whose answer nobody has may have made the chain live longer than is known.
    let latest_end = match unfinished {
        Some(_) => ends_at.saturating_add(ASSUMED_LIFE),
        None => ends_at,
    };
    // Tried once whatever the clocks say.
    let is_over = failures > 0 && client.platform.is_surely_over(latest_end).await;
    let Some(mut token) = token.filter(|_| !is_over) else {
        tombstone::clear(client, key, stone).await;
        return Tried::Done;
    };
    let mut unfinished = unfinished;
    if let Some(what) = unfinished {
        match ask_for_unfinished(client, &token, what).await {
            Asked::Newer(pair) => {
                ends_at = pair.chain_ends_at().unwrap_or(ends_at);
                token = pair.revocable().cloned().unwrap_or(token);
                unfinished = None;
            }
            Asked::NothingNewer => unfinished = None,
            Asked::NoAnswer => {}
        }
    }
    if unfinished.is_none() && revoke(client, &token).await {
        tombstone::clear(client, key, stone).await;
        return Tried::Done;
    }
    stone.record.state = RecordState::SignedOut {
        token: Some(token),
        failures: failures.saturating_add(1),
        chain_ends_at: Some(ends_at),
        unfinished,
        reason,
    };
    let pause = pause(failures, client.draw().unwrap_or([128]));
    match tombstone::put_off(client, key, stone, pause, unfinished).await {
        Ok(()) => Tried::PutOff,
        Err(record) => Tried::Unnoted(record),
    }
}

/// Doubled each time; half of it is spread by chance, so that an outage is not followed by a rush.
fn pause(failures: u8, [spread]: [u8; 1]) -> Duration {
    let pause = FIRST_PAUSE
        .saturating_mul(1 << failures.min(11))
        .min(LONGEST_PAUSE);
    pause / 2 + pause / 2 * u32::from(spread) / 255
}

/// What the platform says of a refresh that was unfinished.
enum Asked {
    /// This pair came of it.
    Newer(Box<TokenPair>),
    /// Nothing, or nothing that can still be had.
    NothingNewer,
    NoAnswer,
}

/// A refresh was unfinished when the user left: the platform may have given out a pair that nobody has
/// seen. Where it repeats its answers, it is asked once more, so that what comes back can be revoked.
async fn ask_for_unfinished(client: &ClientState, token: &Secret, unfinished: Unfinished) -> Asked {
    if client.policy.replay == RefreshReplay::None {
        return Asked::NothingNewer;
    }
    let now = client.now();
    let chance = unfinished
        .first_presented_at
        .and_then(|at| client.policy.last_chance_at(at));
    let lane = AuthRequest::Refresh {
        access_token_lives: chance.is_none_or(|chance| now.wall < chance),
    };
    if lock(&client.platform.auth_gate)
        .take(lane, now.mono)
        .is_err()
    {
        return Asked::NoAnswer;
    }
    let request = refresh_request(&client.platform.app, token);
    let timeout = client.policy.request_timeout;
    let reply = client
        .platform
        .send_token_request(AuthLane::Refresh, "refresh_token", request, timeout)
        .await;
    let Reply::Response(response) = reply else {
        return Asked::NoAnswer;
    };
    match TokenSet::from_response(&response, client.now().wall) {
        Ok(tokens) => Asked::Newer(Box::new(TokenPair::new(tokens))),
        // The grace is over, or the chain: what is known is all there is to revoke.
        Err(TokenError::Refused(refusal)) if refusal.ends_grant() => Asked::NothingNewer,
        Err(_) => Asked::NoAnswer,
    }
}

/// Revokes the chain of a token, once. `true`: the platform has answered that it is dead.
async fn revoke(client: &ClientState, token: &Secret) -> bool {
    let now = client.now().mono;
    let open = lock(&client.platform.auth_gate)
        .take(AuthRequest::Revoke, now)
        .is_ok();
    let settled = open && send(client, token).await;
    telemetry::revocation(settled);
    settled
}

async fn send(client: &ClientState, token: &Secret) -> bool {
    let request = revocation_request(&client.platform.app, token);
    let timeout = client.policy.request_timeout;
    match guarded(
        client
            .platform
            .send_to_auth(AuthLane::Revoke, request, timeout),
    )
    .await
    {
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

/// Revokes a chain that was announced and is replaced now.
pub(crate) async fn of_replaced(client: Arc<ClientState>, announced: Announced) {
    let Announced {
        key,
        record,
        version,
    } = announced;
    match version {
        // Others may have taken the sign-in for dead, and deleted what was announced.
        Some(version) => {
            let stone = Tombstone { record, version };
            if let Tried::Unnoted(record) = try_once(&client, &key, stone).await {
                bury(&client, *record).await;
            }
        }
        None => bury(&client, record).await,
    }
}

/// Revokes the chain of a token that is in no record.
pub(crate) async fn of_orphan(client: Arc<ClientState>, token: Secret) {
    let Ok(chain) = client.draw() else {
        tracing::error!("the operating system gives no random numbers");
        return;
    };
    let now = client.now().wall;
    let record = GrantRecord::orphan(ChainId::new(chain), token, now.saturating_add(ASSUMED_LIFE));
    bury(&client, record).await;
}

/// What a note that a chain is to be revoked may replace under its key: nothing, if that is gone again, or what only
/// announces it, which others may take back. `None`: it is written down as it should be.
async fn in_place_of_note(
    client: &ClientState,
    key: &RecordKey,
) -> Result<Option<Expect>, ReadFailure> {
    let Some(Found { record, version }) = client.records.read(key).await? else {
        return Ok(Some(Expect::Absent));
    };
    Ok(match record {
        StoredRecord::Grant(grant) if grant.about.replaced_under.is_some() => {
            Some(Expect::Version(version))
        }
        StoredRecord::Grant(_)
        | StoredRecord::UsedState(_)
        | StoredRecord::Mark(_)
        | StoredRecord::OwnerIndex(_) => None,
    })
}

/// Writes down that a chain is to be revoked, and revokes it. Goes on trying until one of both is done, or
/// the client is closed.
async fn bury(client: &Arc<ClientState>, record: GrantRecord) {
    let Some(token) = record.revocable().cloned() else {
        return;
    };
    let key = revocation_record_key(&client.platform.app, &token);
    let is_unfinished = matches!(
        record.state,
        RecordState::SignedOut {
            unfinished: Some(_),
            ..
        }
    );
    let stored = StoredRecord::Grant(record.clone());
    let mut expect = Expect::Absent;
    for failures in 0..u8::MAX {
        let due = client.now().wall.saturating_add(FIRST_PAUSE);
        match client.records.write(&key, &stored, due, expect).await {
            Ok(version) => {
                resume(client, &key, Tombstone { record, version }).await;
                return;
            }
            Err(SaveFailure::Conflict) => match in_place_of_note(client, &key).await {
                Ok(Some(place)) => {
                    expect = place;
                    continue;
                }
                // It is written down already: the sweeper goes on with it.
                Ok(None) => return,
                Err(_) => {}
            },
            Err(SaveFailure::OutcomeUnknown) => {}
        }
        if !is_unfinished && revoke(client, &token).await {
            return;
        }
        let pause = client.sleep(pause(failures, client.draw().unwrap_or([128])));
        tokio::select! {
            biased;
            () = client.tasks.closing.cancelled() => break,
            () = pause => {}
        }
    }
    tracing::warn!("a chain could neither be revoked nor noted; it ends by itself");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_half_of_each_is_chance() {
        let seconds = |failures| {
            let shortest = pause(failures, [0]).as_secs();
            (shortest, pause(failures, [255]).as_secs())
        };
        assert_eq!(seconds(0), (1, 2));
        assert_eq!(seconds(1), (2, 4));
        assert_eq!(seconds(5), (32, 64));
        assert_eq!(seconds(u8::MAX), (1800, 3600));
    }
}
